"""The segmentor that hands the main head's feature and logits over."""

import copy

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import MODELS
from mmengine.runner import (
    Runner,
    find_latest_checkpoint,
    turn_on_activation_checkpointing,
)
from mmseg.models.decode_heads import FCNHead
from support.small_segmentor import NUM_CLASSES as CLASSES
from support.small_segmentor import small_run
from torch import nn

from mmpaco.seg.models import GPaCoEncoderDecoder
from mmpaco.seg.models.decode_head_output import record_cls_seg

HOOKS = ('_forward_hooks', '_forward_pre_hooks', '_backward_hooks')


def images(num_images=2, size=(64, 64), seed=3):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(num_images, 3, *size, generator=generator)


def total(losses):
    return sum(value for name, value in losses.items() if 'loss' in name)


def num_hooks(model):
    return sum(
        len(getattr(m, name)) for m in model.modules() for name in HOOKS
    )


def attributes(model):
    """What each module holds, to see that nothing stays on one."""
    return {name: sorted(vars(m)) for name, m in model.named_modules()}


@pytest.fixture
def model(segmentor_cfg, build):
    return build(segmentor_cfg())


@pytest.fixture
def batch(samples, label_maps):
    return images(), samples(label_maps(2))


def test_losses_are_those_of_the_stock_segmentor_and_one_more(
    segmentor_cfg, build, batch
):
    cfg = segmentor_cfg()
    ours = build(copy.deepcopy(cfg))
    cfg.update(type='EncoderDecoder', auxiliary_head=cfg['auxiliary_head'][:1])
    stock = build(cfg)
    stock.load_state_dict(
        {
            name: value
            for name, value in ours.state_dict().items()
            if not name.startswith('auxiliary_head.1.')
        }
    )
    torch.manual_seed(0)
    found = ours.loss(*batch)
    torch.manual_seed(0)
    expected = stock.loss(*batch)
    assert found.pop('aux_1.loss_gpaco').item() > 0
    assert list(found) == list(expected)
    for name, value in found.items():
        assert torch.equal(value, expected[name]), name


def test_feature_is_before_dropout_and_logits_are_the_heads_own(model, batch):
    seen = {}
    main, aux = model.decode_head, model.auxiliary_head[1]
    main.dropout.register_forward_hook(
        lambda _, args, out: seen.update(before=args[0], after=out)
    )
    main.conv_seg.register_forward_hook(
        lambda _, args, out: seen.update(logits=out)
    )
    forward = aux.forward

    def note(inputs):
        seen.update(feature=inputs.feature, scores=inputs.logits)
        return forward(inputs)

    aux.forward = note
    model.loss(*batch)
    assert seen['feature'] is seen['before']
    assert not torch.equal(seen['feature'], seen['after'])
    assert seen['scores'] is seen['logits']
    assert seen['logits'].shape == (2, CLASSES, 8, 8)


def test_gradient_of_the_contrast_reaches_centers_head_and_backbone(
    model, batch
):
    model.loss(*batch)['aux_1.loss_gpaco'].backward()
    for part in (
        model.decode_head.conv_seg,
        model.decode_head.convs,
        model.backbone.layer1,
        model.auxiliary_head[1],
    ):
        for name, parameter in part.named_parameters():
            assert parameter.grad is not None, name
    assert model.decode_head.conv_seg.weight.grad.abs().sum() > 0
    assert model.auxiliary_head[0].conv_seg.weight.grad is None


def test_every_parameter_gets_a_gradient(model, batch):
    """So that DDP works with find_unused_parameters=False."""
    total(model.loss(*batch)).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name


def test_nothing_stays_on_a_module(model, batch):
    before = attributes(model)
    model.loss(*batch)
    assert attributes(model) == before
    assert num_hooks(model) == 0
    copied = copy.deepcopy(model)
    torch.manual_seed(0)
    expected = total(model.loss(*batch))
    torch.manual_seed(0)
    torch.testing.assert_close(total(copied.loss(*batch)), expected)


def test_no_hook_stays_after_an_exception(model, batch):
    class FailureError(Exception):
        pass

    def fail(*_):
        # Two of the segmentor and this one.
        assert num_hooks(model) == 3
        raise FailureError

    handle = model.decode_head.conv_seg.register_forward_pre_hook(fail)
    with pytest.raises(FailureError):
        model.loss(*batch)
    handle.remove()
    assert num_hooks(model) == 0


def test_inference_notes_nothing(model, batch):
    """The hooks of the test see that none of ours is there meanwhile."""
    seen = []
    for module in (model.decode_head.dropout, model.decode_head.conv_seg):
        module.register_forward_hook(lambda *_: seen.append(num_hooks(model)))
    for head in model.auxiliary_head:
        for module in head.modules():
            module.register_forward_pre_hook(
                lambda *_: pytest.fail('an auxiliary head ran at inference')
            )
    expected = num_hooks(model)
    model.eval()
    with torch.no_grad():
        model(batch[0], mode='tensor')
        model(batch[0], mode='predict')
    assert seen == [expected] * 4


class TwoDropouts(FCNHead):
    """Uses the dropout before its last layer, too, as ANNHead does."""

    def forward(self, inputs):
        self.last = self.dropout(self._forward_feature(inputs)) + 1
        return self.cls_seg(self.last)


class OtherDropout(FCNHead):
    """Does not use the dropout right before conv_seg."""

    def forward(self, inputs):
        feature = self.dropout(self._forward_feature(inputs))
        self.last = nn.functional.dropout(feature)
        return self.conv_seg(self.last)


@pytest.mark.parametrize('kind', (TwoDropouts, OtherDropout))
def test_only_the_dropout_right_before_conv_seg_counts(kind):
    head = kind(
        in_channels=4,
        channels=4,
        num_convs=1,
        num_classes=CLASSES,
        dropout_ratio=0.5,
    )
    with record_cls_seg(head) as record:
        logits = head([torch.randn(2, 4, 3, 3)])
    assert record.output.feature is head.last
    assert record.output.logits is logits


def test_main_head_without_dropout(segmentor_cfg, build, batch):
    cfg = segmentor_cfg()
    cfg['decode_head']['dropout_ratio'] = 0
    model = build(cfg)
    assert model.decode_head.dropout is None
    assert model.loss(*batch)['aux_1.loss_gpaco'].item() > 0


@pytest.mark.parametrize('as_list', (True, False))
def test_one_auxiliary_head_alone_or_in_a_list(
    segmentor_cfg, build, batch, as_list
):
    head = segmentor_cfg()['auxiliary_head'][1]
    model = build(segmentor_cfg(auxiliary_head=[head] if as_list else head))
    name = 'aux_0.loss_gpaco' if as_list else 'aux.loss_gpaco'
    assert model.loss(*batch)[name].item() > 0


def test_two_gpaco_heads_have_losses_of_their_own(segmentor_cfg, build, batch):
    fcn, gpaco = segmentor_cfg()['auxiliary_head']
    own = dict(
        gpaco, source='backbone', in_channels=32, in_index=2, channels=8
    )
    model = build(
        segmentor_cfg(
            auxiliary_head=[gpaco, dict(gpaco, num_samples=5), fcn, own]
        )
    )
    losses = model.loss(*batch)
    names = [name for name in losses if 'gpaco' in name]
    assert names == [f'aux_{i}.loss_gpaco' for i in (0, 1, 3)]
    assert len({losses[name].item() for name in names}) == 3
    summed, _ = model.parse_losses(losses)
    torch.testing.assert_close(summed, total(losses))
    summed.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name


@pytest.mark.parametrize(
    'kind', ('EncoderDecoder', 'mmpaco.GPaCoEncoderDecoder')
)
def test_head_on_the_backbone_trains_in_either_segmentor(
    segmentor_cfg, build, batch, kind
):
    fcn, gpaco = segmentor_cfg()['auxiliary_head']
    gpaco.update(source='backbone', in_channels=32, in_index=2, channels=8)
    model = build(segmentor_cfg(type=kind, auxiliary_head=[fcn, gpaco]))
    losses = model.loss(*batch)
    assert losses['aux_1.loss_gpaco'].item() > 0
    total(losses).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name


def test_stock_segmentor_is_refused_by_a_head_that_asks(
    segmentor_cfg, build, batch
):
    model = build(segmentor_cfg(type='EncoderDecoder'))
    with pytest.raises(TypeError, match='mmpaco.GPaCoEncoderDecoder'):
        model.loss(*batch)


@pytest.mark.parametrize(
    'changes, message',
    (
        (dict(num_classes=7), 'num_classes=7.*num_classes=5'),
        (dict(ignore_index=0), 'ignore_index=0.*ignore_index=255'),
        (dict(channels=24), 'channels=24.*in_channels=16'),
        (
            dict(num_classes=2, out_channels=1, threshold=0.5),
            'out_channels=1.*each of 2 classes',
        ),
    ),
)
def test_heads_that_do_not_fit_are_refused(
    segmentor_cfg, build, changes, message
):
    cfg = segmentor_cfg()
    cfg['decode_head'].update(changes)
    if 'out_channels' in changes:
        cfg['auxiliary_head'][1]['num_classes'] = 2
    with pytest.raises(ValueError, match=message):
        build(cfg)


@pytest.mark.parametrize('size', ((32, 32), (128, 64)))
@pytest.mark.parametrize(
    'kind', ('EncoderDecoder', 'mmpaco.GPaCoEncoderDecoder')
)
def test_label_map_of_another_size_is_refused(
    segmentor_cfg, build, label_maps, samples, kind, size
):
    """Where mmseg alone would scale its logits to it, and go on."""
    cfg = segmentor_cfg(type=kind)
    if kind == 'EncoderDecoder':
        cfg['auxiliary_head'][1].update(
            source='backbone', in_channels=64, channels=8
        )
    model = build(cfg)
    data = model.data_preprocessor(
        dict(
            inputs=list(images()),
            data_samples=samples(label_maps(2, size), seg_map_path='b.png'),
        ),
        training=True,
    )
    with pytest.raises(ValueError, match='image of 64 x 64.*from b.png'):
        model.loss(**data)


def test_label_that_is_no_class_is_refused_with_its_file(
    model, label_maps, samples
):
    labels = label_maps(2)
    labels[1, 0, 1] = 11
    data = samples(labels, seg_map_path='b.png')
    with pytest.raises(ValueError, match=r'b.png: .*\[0, 5\).*got \[11\]'):
        model.loss(images(), data)
    data = samples(labels / 2, seg_map_path='b.png')
    with pytest.raises(TypeError, match='b.png: .*integers'):
        model.loss(images(), data)


class OwnClassifier(FCNHead):
    """Has a conv_seg like all, but another layer classifies."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.classifier = nn.Conv2d(self.channels, self.num_classes, 1)

    def forward(self, inputs):
        return self.classifier(self._forward_feature(inputs))


def test_a_head_that_does_not_call_conv_seg_is_refused(
    segmentor_cfg, build, batch
):
    cfg = segmentor_cfg()
    cfg['decode_head']['type'] = OwnClassifier
    model = build(cfg)
    with pytest.raises(RuntimeError, match="OwnClassifier.*'backbone'"):
        model.loss(*batch)
    assert num_hooks(model) == 0


def test_a_cascade_needs_its_own_segmentor(segmentor_cfg, build):
    cfg = segmentor_cfg()
    cfg['decode_head'] = [cfg['decode_head']] * 2
    with pytest.raises(ValueError, match='GPaCoCascadeEncoderDecoder'):
        build(cfg)


def test_activation_checkpointing_of_the_backbone(segmentor_cfg, build, batch):
    """It gives the same gradients, though the backbone runs twice."""
    gradients = []
    for with_cp in (False, True):
        cfg = segmentor_cfg()
        cfg['backbone']['with_cp'] = with_cp
        model = build(cfg)
        torch.manual_seed(0)
        inputs = batch[0].clone().requires_grad_()
        total(model.loss(inputs, batch[1])).backward()
        gradients.append([p.grad for p in model.parameters()])
        assert num_hooks(model) == 0
    for one, other in zip(*gradients):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    'modules',
    (
        'decode_head.convs',
        'decode_head.conv_seg',
        ['backbone.layer2', 'auxiliary_head.1.projector'],
    ),
)
def test_layers_that_the_runner_checkpoints(
    segmentor_cfg, build, batch, modules
):
    """``activation_checkpointing`` of a config: the same gradients."""
    cfg = segmentor_cfg()
    for head in (cfg['decode_head'], *cfg['auxiliary_head']):
        head['dropout_ratio'] = 0
    gradients = []
    for checkpointed in (False, True):
        model = build(cfg).double()
        if checkpointed:
            turn_on_activation_checkpointing(model, modules)
        torch.manual_seed(0)
        total(model.loss(batch[0].double(), batch[1])).backward()
        gradients.append({k: p.grad for k, p in model.named_parameters()})
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-10)


@pytest.mark.parametrize('head', ('decode_head', 'auxiliary_head.1'))
def test_a_head_checkpointed_as_a_whole_is_refused(model, batch, head):
    """Its input is a tuple, whose gradients PyTorch drops with a warning."""
    turn_on_activation_checkpointing(model, head)
    with pytest.raises(RuntimeError, match=r'activation_checkpointing.*\w+\.'):
        model.loss(*batch)
    with torch.no_grad():
        assert total(model.loss(*batch)) > 0


def test_a_frozen_main_head_is_no_checkpointed_one(model, batch):
    for part in (model.backbone, model.decode_head):
        part.requires_grad_(False)
    total(model.loss(*batch)).backward()
    assert model.auxiliary_head[1].projector[2].weight.grad.any()


def test_compiled_backbone(model, batch):
    torch.manual_seed(0)
    expected = total(model.loss(*batch))
    model.backbone = torch.compile(model.backbone, backend='eager')
    torch.manual_seed(0)
    loss = total(model.loss(*batch))
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert num_hooks(model) == 0


class SpoilHook(Hook):
    """Gives iteration 6 an image with a value that is not finite."""

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == 5:
            image = data_batch['inputs'][1].float()
            image[0, 20, 30] = float('nan')
            data_batch['inputs'][1] = image


@pytest.mark.parametrize('on_device', (False, True))
@pytest.mark.parametrize('source', ('decode_head', 'backbone'))
def test_a_nan_is_told_with_its_iteration_and_saved_nowhere(
    tmp_path, monkeypatch, source, on_device
):
    """No hook of mmpaco takes part."""
    if on_device:
        # The guard does not wait for a device that it is told of here.
        monkeypatch.setattr(torch.Tensor, 'is_cpu', False)
    cfg = small_run(tmp_path)
    if source == 'backbone':
        cfg.model.type = 'EncoderDecoder'
        cfg.model.auxiliary_head[1].update(
            source=source, in_channels=64, channels=16
        )
    cfg.train_cfg.max_iters = 7
    cfg.default_hooks.checkpoint.interval = 1
    runner = Runner.from_cfg(cfg)
    runner.register_hook(SpoilHook())
    with pytest.raises(RuntimeError, match='GPaCoAuxHead: .* iteration 6'):
        runner.train()
    last = find_latest_checkpoint(cfg.work_dir)
    assert last.endswith('iter_5.pth')
    assert not (tmp_path / 'work_dir' / 'iter_6.pth').exists()
    saved = torch.load(last, map_location='cpu', weights_only=False)
    for states in (saved['state_dict'], saved['ema_state_dict']):
        for name, value in states.items():
            assert value.isfinite().all(), name


def predict(cfg, state_dict):
    model = MODELS.build(copy.deepcopy(cfg)).eval()
    model.load_state_dict(state_dict, strict=True)
    data = dict(inputs=list(images(3) * 50 + 100))
    with torch.no_grad():
        return model(
            **model.data_preprocessor(data, training=False), mode='predict'
        )


@pytest.mark.parametrize('is_made', (False, True))
def test_trained_model_without_its_heads_is_the_stock_model(
    segmentor_cfg, tmp_path, is_made
):
    """A run with EMA, resumed once, then stripped: bit for bit the same."""
    heads = segmentor_cfg()['auxiliary_head']
    options, name = dict(auxiliary_head=heads), 'auxiliary_head.1'
    if is_made:
        options, name = dict(auxiliary_head=heads[0]), 'gpaco_head'
    runner = Runner.from_cfg(small_run(tmp_path, **options))
    start = copy.deepcopy(runner.model.state_dict())
    runner.train()
    assert num_hooks(runner.model) == 0
    path = tmp_path / 'work_dir' / 'iter_4.pth'
    loaded = torch.load(path, map_location='cpu', weights_only=False)
    average, trained = loaded['state_dict'], loaded['ema_state_dict']
    assert set(average) == set(start)
    projector = f'{name}.projector.2.weight'
    assert not torch.equal(average[projector], start[projector])
    assert not torch.equal(average[projector], trained[f'module.{projector}'])

    cfg = small_run(tmp_path, **options)
    cfg.train_cfg.max_iters, cfg.resume = 6, True
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.iter == 6
    assert num_hooks(runner.model) == 0

    stripped = {
        name: value
        for name, value in average.items()
        if not name.startswith(('auxiliary_head.', 'gpaco_head.'))
    }
    expected = predict(cfg.model, average)
    found = predict(
        segmentor_cfg(type='EncoderDecoder', auxiliary_head=None), stripped
    )
    for one, other in zip(found, expected):
        assert torch.equal(one.seg_logits.data, other.seg_logits.data)
        assert torch.equal(one.pred_sem_seg.data, other.pred_sem_seg.data)
    assert len(found) == 3


def test_average_of_weights_is_a_model_of_its_own(segmentor_cfg, build, batch):
    from mmengine.model import ExponentialMovingAverage

    model = build(segmentor_cfg())
    average = ExponentialMovingAverage(model, momentum=0.5)
    total(model.loss(*batch)).backward()
    average.update_parameters(model)
    assert isinstance(average.module, GPaCoEncoderDecoder)
    assert total(average.module.loss(*batch)).isfinite()
    assert num_hooks(average) == 0
