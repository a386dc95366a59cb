"""Promises of the configs that fine-tune transformers.

Their settings are the release's, in a model of full size.
"""

import math

import pytest
import torch
from mmengine.registry import PARAM_SCHEDULERS, init_default_scope
from mmpretrain.registry import MODELS
from mmpretrain.registry import OPTIM_WRAPPER_CONSTRUCTORS as CONSTRUCTORS
from support.small_cls import TRANSFORMERS, load, pipeline, views_of

MAE = [name for name in TRANSFORMERS if '_mae_' in name]
ANY = 'gpaco/vit-base_any_imagenet-lt'
BASE, LARGE = 'gpaco/vit-base_mae_imagenet', 'gpaco/vit-large_mae_imagenet'
ONE_VIEW = f'{BASE}_one-view'
MULTI_TASK = 'baselines/multi-task-ce_vit-base_mae_imagenet'
# Blocks, width, images of a GPU, iterations of a step, rate, its decay from
# layer to layer, drop path, epochs, parameters of the backbone.
SIZES = {
    'base': (12, 768, 32, 4, 2e-3, 0.65, 0.1, 100, 85_798_656),
    'large': (24, 1024, 16, 8, 4e-3, 0.75, 0.2, 50, 303_301_632),
}


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmpretrain')


def size_of(name):
    return SIZES['large' if 'large' in name else 'base']


def test_every_promised_config_is_there():
    sizes = ('base', 'large')
    assert set(TRANSFORMERS) == {
        *(ANY, BASE, LARGE, ONE_VIEW, MULTI_TASK),
        *(f'baselines/vit-{size}_mae_imagenet' for size in sizes),
        *(f'baselines/vit-{size}_mae_imagenet_no-mixup' for size in sizes),
    }


@pytest.mark.usefixtures('no_init')
@pytest.mark.parametrize('name', MAE)
def test_settings_are_those_of_the_release(name):
    cfg = load(name)
    _, width, images, count, rate, decay, drop, epochs, size = size_of(name)
    assert cfg.train_dataloader.batch_size == images
    assert cfg.auto_scale_lr.base_batch_size == 8 * images
    wrapper = cfg.optim_wrapper
    assert wrapper.type == 'AmpOptimWrapper'
    assert 'clip_grad' not in wrapper and 'dtype' not in wrapper
    assert wrapper.accumulative_counts == count
    assert 8 * images * count == 1024
    assert wrapper.optimizer == dict(
        type='AdamW', lr=rate, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.05
    )
    assert wrapper.paramwise_cfg.layer_decay_rate == decay
    assert cfg.train_cfg.max_epochs == epochs
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        assert loader.dataset.pipeline[1:-1] == pipeline('test-bicubic_224')
    assert cfg.data_preprocessor.mean == [123.675, 116.28, 103.53]
    assert cfg.data_preprocessor.std == [58.395, 57.12, 57.375]
    assert cfg.data_preprocessor.to_rgb

    model = MODELS.build(cfg.model)
    assert sum(x.numel() for x in model.backbone.parameters()) == size
    shares = [
        getattr(layer.ffn.dropout_layer, 'drop_prob', 0.0)
        for layer in model.backbone.layers
    ]
    assert shares == pytest.approx(
        [drop * i / (len(shares) - 1) for i in range(len(shares))]
    )
    assert model.backbone.init_cfg['type'] == 'Pretrained'
    assert model.head.fc.weight.shape == (1000, width)


@pytest.mark.usefixtures('no_init')
@pytest.mark.parametrize('name', [x for x in MAE if 'no-mixup' not in x])
def test_loss_and_views_are_those_of_the_release(name):
    cfg = load(name)
    model = MODELS.build(
        dict(cfg.model, data_preprocessor=cfg.data_preprocessor)
    )
    loss = model.head.loss_module
    stack, sim = pipeline('randaug-stack_n12-m10_224'), pipeline('sim_224')
    if name.startswith('baselines/vit'):
        assert cfg.train_dataloader.dataset.pipeline[1:-1] == pipeline(
            'mae_224'
        )
        mixed = model.data_preprocessor.batch_augments.augments
        assert [(type(x).__name__, x.alpha) for x in mixed] == [
            ('Mixup', 0.8),
            ('CutMix', 1),
        ]
        # Each for one batch of two.
        assert model.data_preprocessor.batch_augments.probs is None
        return
    if name == ONE_VIEW:
        (compose,) = cfg.train_dataloader.dataset.pipeline[1:-1]
        assert compose == dict(type='Compose', transforms=stack)
    else:
        assert views_of(cfg) == [stack, sim]
    views = 1 if name == ONE_VIEW else 2
    assert model.data_preprocessor.num_views == model.head.num_views == views
    assert loss.temperature == 0.2 and loss.label_smoothing == 0.1
    if name == MULTI_TASK:
        assert type(loss).__name__ == 'MultiTaskLoss'
        assert (loss.supcon_weight, loss.balanced) == (0.5, False)
    else:
        assert type(loss).__name__ == 'PaCoLoss'
        assert (loss.alpha, loss.beta, loss.gamma) == (0.2, 1, 1)
    assert model.head.queue.length == 8192 and model.head.prior is None
    kinds = [type(x).__name__ for x in model.head.projector.modules()]
    assert (kinds.count('Linear'), kinds.count('GELU')) == (3, 2)
    assert not any('Norm' in kind for kind in kinds)
    assert model.head.projector.out_channels == 128
    assert [hook.type for hook in cfg.custom_hooks] == ['mmpaco.PaCoQueueHook']


@pytest.mark.parametrize('size', SIZES)
def test_without_mixup_all_else_is_the_same(size):
    plain = load(f'baselines/vit-{size}_mae_imagenet_no-mixup')
    mixed = load(f'baselines/vit-{size}_mae_imagenet')
    assert plain.model.pop('train_cfg') is None
    assert list(mixed.model.pop('train_cfg')) == ['augments']
    assert plain.to_dict() == mixed.to_dict()


def test_the_baselines_loss_is_timms_label_smoothing():
    head = MODELS.build(load('baselines/vit-base_mae_imagenet').model.head)
    scores = torch.randn(5, 1000)
    labels = torch.tensor([3, 0, 999, 3, 7])
    logs = scores.log_softmax(1)
    expected = -0.9 * logs[range(5), labels] - 0.1 * logs.mean(1)
    found = head.loss_module(scores, labels)
    assert torch.allclose(found, expected.mean(), rtol=1e-5)


@pytest.mark.parametrize('name', [BASE, 'baselines/vit-base_mae_imagenet'])
def test_only_the_classifier_starts_otherwise_than_layers_of_pytorch(name):
    cfg = load(name).model.head
    torch.manual_seed(0)
    head = MODELS.build(cfg)
    before = {k: v.clone() for k, v in head.state_dict().items()}
    head.init_weights()
    changed = {
        k
        for k, v in head.state_dict().items()
        if not torch.equal(v, before[k])
    }
    assert changed == {'fc.weight', 'fc.bias'}
    assert not head.fc.bias.any()
    assert head.fc.weight.std().item() == pytest.approx(2e-5, rel=0.01)
    # 5.5 deviations, which 768,000 draws exceed once in 30 times.
    assert head.fc.weight.abs().max() < 1.2e-4


def groups_of(cfg):
    """The groups of parameters that the config's optimizer gets."""
    model = MODELS.build(cfg.model)
    wrapper = cfg.optim_wrapper.copy()
    constructor = CONSTRUCTORS.build(
        dict(
            type=wrapper.pop('constructor'),
            paramwise_cfg=wrapper.pop('paramwise_cfg'),
            optim_wrapper_cfg=dict(wrapper, type='OptimWrapper'),
        )
    )
    optimizer = constructor(model).optimizer
    names = {id(value): name for name, value in model.named_parameters()}
    groups = {}
    for group in optimizer.param_groups:
        (value,) = group['params']
        groups[names.pop(id(value))] = group
    assert not names
    return model, optimizer, groups


def scale_of(name, blocks, decay):
    """The factor of a parameter's rate, by the release's rule."""
    layer = blocks + 1
    parts = name.split('.')
    if parts[0] == 'backbone':
        if parts[1] in ('cls_token', 'pos_embed', 'patch_embed'):
            layer = 0
        elif parts[1] == 'layers':
            layer = int(parts[2]) + 1
    return decay ** (blocks + 1 - layer)


def rate_of(epoch, rate, epochs):
    """The rate at a fraction of epochs, by the release's rule."""
    if epoch < 5:
        return rate * epoch / 5
    turn = math.pi * (epoch - 5) / (epochs - 5)
    return 1e-6 + (rate - 1e-6) * 0.5 * (1 + math.cos(turn))


@pytest.mark.usefixtures('no_init')
@pytest.mark.parametrize(
    'name', [BASE, LARGE, 'baselines/vit-base_mae_imagenet']
)
def test_rate_and_decay_of_every_parameter(name):
    cfg = load(name)
    blocks, _, _, _, rate, decay, _, epochs, _ = size_of(name)
    model, optimizer, groups = groups_of(cfg)
    for parameter, value in model.named_parameters():
        is_free = value.ndim == 1 or parameter in (
            'backbone.cls_token',
            'backbone.pos_embed',
        )
        expected = 0 if is_free else 0.05
        assert groups[parameter]['weight_decay'] == expected, parameter
    projector = [x for x in groups if x.startswith('head.projector.')]
    assert len(projector) == (6 if name.startswith('gpaco') else 0)
    assert all(scale_of(x, blocks, decay) == 1 for x in projector)

    # Of few iterations an epoch: the rule knows the fraction of one alone.
    length = 20
    schedulers = [
        PARAM_SCHEDULERS.get(dict(s).pop('type')).build_iter_from_epoch(
            optimizer,
            by_epoch=True,
            epoch_length=length,
            **{
                k: v
                for k, v in s.items()
                if k not in ('type', 'convert_to_iter_based')
            },
        )
        for s in cfg.param_scheduler
    ]
    assert all(s.convert_to_iter_based for s in cfg.param_scheduler)
    for step in range(epochs * length):
        if step % (10 * length) == 0:
            expected = rate_of(step / length, rate, epochs)
            for parameter, group in groups.items():
                scale = scale_of(parameter, blocks, decay)
                assert math.isclose(
                    group['lr'], scale * expected, rel_tol=1e-7, abs_tol=1e-11
                ), (step, parameter)
        elif step < 5 * length:
            # mmengine's warm-up is at its top one iteration earlier.
            found = groups['head.fc.weight']['lr']
            late = rate * step / (5 * length - 1)
            assert math.isclose(found, late, rel_tol=1e-6)
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    assert groups['head.fc.weight']['lr'] == pytest.approx(1e-6, rel=0.05)
