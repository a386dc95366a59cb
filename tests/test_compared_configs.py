"""Promises of the configs for systems that the papers compare with.

Their losses; tests/losses has what these are.
"""

import math

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS, init_default_scope
from mmpretrain.registry import MODELS
from support.small_cls import COMPARED, CONFIGS, data_of, load, pipeline

METHODS = ('ldam-drw', 'focal', 'cb-focal', 'logit-adjusted')
LOSSES = [x for x in COMPARED if x[9:].partition('_')[0] in METHODS]
CIFAR = [x for x in LOSSES if 'cifar' in x]


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmpretrain')


def test_every_promised_config_is_there():
    promised = {
        f'compared/{method}_resnet32_cifar100-lt-if{factor}{setting}'
        for method in METHODS[:3]
        for factor in (100, 50, 10)
        for setting in ('', '_papers')
    }
    promised |= {
        'compared/cb-focal_resnet50_inaturalist2018',
        'compared/cb-focal_resnet50_inaturalist2018_papers',
        'compared/logit-adjusted_resnet32_cifar100-lt-if100',
    }
    assert set(LOSSES) == promised


@pytest.mark.usefixtures('no_init')
@pytest.mark.parametrize('name', LOSSES)
def test_heads_and_losses(name):
    cfg = load(name)
    model = MODELS.build(cfg.model)
    loss, classes = model.head.loss_module, cfg.data_preprocessor.num_classes
    assert loss.prior.num_classes == model.head.num_classes == classes
    method = name[9:].partition('_')[0]
    if method == 'ldam-drw':
        assert sum(x.numel() for x in model.parameters()) == 469_904
        assert (loss.max_margin, loss.beta) == (0.5, 0.9999)
        assert loss.scale == model.head.fc.scale == 30
    elif method == 'logit-adjusted':
        assert loss.tau == 1
    else:
        assert loss.kind == 'sigmoid_focal' and loss.divide_by == 'samples'
        expected = (0.999, 0.5) if classes == 8142 else (0.9999, 1)
        expected = (0, 1) if method == 'focal' else expected
        assert (loss.beta, loss.gamma) == expected
        init = cfg.model.head.init_cfg
        assert init.std == 0.01
        assert init.bias == pytest.approx(-math.log(classes - 1), abs=1e-5)


@pytest.mark.usefixtures('no_init')
@pytest.mark.parametrize('name', LOSSES)
def test_what_decays_and_what_does_not(name):
    cfg = load(name)
    model = MODELS.build(cfg.model)
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    decays = {
        id(x): group['weight_decay']
        for group in wrapper.param_groups
        for x in group['params']
    }
    released, is_cifar = '_papers' not in name, name in CIFAR
    whole = 2e-4 if released else 5e-4
    if not is_cifar:
        whole = 1e-4
    no_norms = released and (not is_cifar or 'logit' in name)
    for key, x in model.named_parameters():
        is_norm = '.bn' in key or 'downsample.1' in key
        is_free = (no_norms and is_norm) or (
            'focal' in name and key == 'head.fc.bias'
        )
        assert decays[id(x)] == (0 if is_free else whole), key
    nesterov = wrapper.param_groups[0]['nesterov']
    assert nesterov == no_norms


@pytest.mark.parametrize('name', LOSSES)
def test_data_epochs_and_choice(name):
    cfg = load(name)
    released, loader = '_papers' not in name, cfg.train_dataloader
    assert (data_of(name) == 'cifar100-lt') == (name in CIFAR)
    # What is reported chooses nothing, also where a release does so.
    assert 'save_best' not in cfg.default_hooks.checkpoint
    counted = cfg.val_evaluator.train_dataset
    assert counted.split == loader.dataset.split == 'train'
    assert counted.get('factor') == loader.dataset.get('factor')
    hooks = {x.type: x for x in cfg.custom_hooks}
    assert 'mmpaco.ClassPriorHook' in hooks
    epochs = cfg.train_cfg.max_epochs
    if 'ldam' in name:
        first = hooks['mmpaco.DeferredReweightingHook'].epoch
        assert first == epochs * 4 // 5
    if not released:
        assert epochs == 400
        view = 'cifar_autoaug-cutout'
        view = view if name in CIFAR else 'randaug_n2-m10_224'
    elif name in CIFAR:
        assert epochs == (1419 if 'logit' in name else 200)
        assert loader.drop_last == ('logit' in name)
        view = 'cifar_crop-flip'
    else:
        assert epochs == 90
        assert loader.batch_size * 8 == cfg.auto_scale_lr.base_batch_size
        view = None
    steps = loader.dataset.pipeline
    if view and 'logit' not in name:
        assert steps[-1 - len(pipeline(view)) : -1] == pipeline(view)
    if name in CIFAR:
        assert name.removesuffix('_papers').endswith(
            f'-if{loader.dataset.factor}'
        )


@pytest.mark.parametrize(
    'name, scale',
    [
        ('ldam-drw', lambda x: (x / 255 - 0.4914) / 0.2023),
        ('cb-focal', lambda x: x / 128 - 1),
        ('logit-adjusted', lambda x: x / 255 - 0.5),
    ],
)
def test_pixels_are_scaled_as_released(name, scale):
    cfg = load(f'compared/{name}_resnet32_cifar100-lt-if100')
    mean, std = cfg.data_preprocessor.mean[0], cfg.data_preprocessor.std[0]
    for value in (0, 100, 255):
        assert (value - mean) / std == pytest.approx(scale(value), abs=1e-4)


def test_the_release_pads_by_four_pixels_and_logit_adjustment_by_two():
    for name, padding in (('ldam-drw', 4), ('logit-adjusted', 2)):
        cfg = load(f'compared/{name}_resnet32_cifar100-lt-if100')
        crop, flip, _ = cfg.train_dataloader.dataset.pipeline
        assert (crop.crop_size, crop.padding) == (32, padding)
        assert (flip.type, flip.prob) == ('RandomFlip', 0.5)


def steps(epoch, milestones, factor):
    return factor ** sum(epoch >= x for x in milestones)


# Rates of each epoch from its first iteration on, as a factor of lr.
SCHEDULES = {
    'cifar_200e': (
        *(200, 85, lambda e, i: min((e + 1) / 5, 1)),
        *((160, 180), 0.01),
    ),
    'cifar_200e_warmup': (
        *(200, 85, lambda e, i: min((85 * e + i) / (5 * 85 - 1), 1)),
        *((160, 180), 0.01),
    ),
    'cifar_1419e': (
        *(1419, 84, lambda e, i: min((84 * e + i) / (22 * 84 - 1), 1)),
        *((691, 1059, 1290), 0.1),
    ),
    'sgd_100e_nesterov': (
        *(100, 452, lambda e, i: min((e + 1) / 5, 1)),
        *((60, 80), 0.1),
    ),
    'sgd_90e_nesterov': (
        *(90, 427, lambda e, i: min((427 * e + i) / (5 * 427 - 1), 1)),
        *((30, 60, 80), 0.1),
    ),
}


@pytest.mark.parametrize('schedule', SCHEDULES)
def test_learning_rate_of_every_epoch(schedule):
    epochs, length, warmup, milestones, factor = SCHEDULES[schedule]
    cfg = Config.fromfile(CONFIGS / f'_base_/schedules/{schedule}.py')
    assert cfg.train_cfg.max_epochs == epochs
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=0.3)
    options = dict(optimizer=optimizer, epoch_length=length)
    schedulers = []
    for given in cfg.param_scheduler:
        given = dict(given)
        if given.pop('convert_to_iter_based', False):
            kind = PARAM_SCHEDULERS.get(given.pop('type'))
            schedulers.append(kind.build_iter_from_epoch(**given, **options))
        else:
            schedulers.append(
                PARAM_SCHEDULERS.build(
                    given, default_args=dict(optimizer=optimizer)
                )
            )
    for epoch in range(epochs):
        expected = steps(epoch, milestones, factor)
        # Later on no iteration changes it.
        for i in range(length if epoch < 25 else 1):
            rate = optimizer.param_groups[0]['lr'] / 0.3
            close = expected * warmup(epoch, i)
            assert rate == pytest.approx(close, abs=2e-6), (epoch, i)
            optimizer.step()
            for scheduler in schedulers:
                if not scheduler.by_epoch:
                    scheduler.step()
        for scheduler in schedulers:
            if scheduler.by_epoch:
                scheduler.step()
