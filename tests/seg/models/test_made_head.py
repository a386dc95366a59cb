"""The head that the segmentor makes by itself, so that its type is all."""

import pytest
import torch
from mmengine.model import revert_sync_batchnorm
from mmengine.runner import turn_on_activation_checkpointing
from mmseg.models.segmentors import EncoderDecoder
from torch import nn

NAME = 'gpaco.loss_gpaco'


@pytest.fixture
def batch(samples, label_maps):
    return torch.randn(2, 3, 64, 64), samples(label_maps(2))


@pytest.fixture
def cfg(segmentor_cfg):
    """The config of a stock FCN, of which nothing but the type is ours."""

    def make(**options):
        stock = segmentor_cfg()['auxiliary_head'][0]
        return segmentor_cfg(**{'auxiliary_head': stock, **options})

    return make


def total(losses):
    return sum(value for name, value in losses.items() if 'loss' in name)


def check_gradients(model, batch):
    """So that DDP works with find_unused_parameters=False."""
    losses = model.loss(*batch)
    assert losses[NAME].item() > 0
    total(losses).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name


@pytest.mark.parametrize('num_heads', (None, 0, 1, 2))
def test_one_loss_more_and_all_other_names_stay(cfg, build, batch, num_heads):
    heads = cfg()['auxiliary_head']
    heads = None if num_heads is None else [heads] * num_heads
    stock = build(cfg(type='EncoderDecoder', auxiliary_head=heads))
    ours = build(cfg(auxiliary_head=heads))
    names = list(ours.state_dict())
    rest = [x for x in names if not x.startswith('gpaco_head.')]
    assert rest == list(stock.state_dict()) and len(rest) < len(names)
    ours.load_state_dict(stock.state_dict(), strict=False)
    torch.manual_seed(0)
    found = ours.loss(*batch)
    torch.manual_seed(0)
    expected = stock.loss(*batch)
    assert found.pop(NAME).item() > 0
    assert list(found) == list(expected)
    for name, value in found.items():
        assert torch.equal(value, expected[name]), name
    check_gradients(build(cfg(auxiliary_head=heads)), batch)


@pytest.mark.parametrize('has_heads', (False, True))
def test_switched_off_it_is_the_stock_segmentor(cfg, build, batch, has_heads):
    options = {} if has_heads else dict(auxiliary_head=None)
    ours = build(cfg(gpaco=None, **options))
    stock = build(cfg(type='EncoderDecoder', **options))
    assert ours.gpaco_head is None
    stock.load_state_dict(ours.state_dict(), strict=True)
    torch.manual_seed(0)
    found = ours.loss(*batch)
    torch.manual_seed(0)
    assert found == stock.loss(*batch)


def test_switched_off_an_explicit_head_stays(segmentor_cfg, build, batch):
    model = build(segmentor_cfg(gpaco=None))
    names = [name for name in model.loss(*batch) if 'gpaco' in name]
    assert names == ['aux_1.loss_gpaco']


@pytest.mark.parametrize('source', ('decode_head', 'backbone'))
def test_none_is_made_beside_an_explicit_head(
    segmentor_cfg, build, batch, source
):
    heads = segmentor_cfg()['auxiliary_head']
    if source == 'backbone':
        heads[1].update(source=source, in_channels=64, channels=8)
    model = build(segmentor_cfg(auxiliary_head=heads))
    assert model.gpaco_head is None
    names = [name for name in model.loss(*batch) if 'gpaco' in name]
    assert names == ['aux_1.loss_gpaco']
    with pytest.raises(ValueError, match='has a GPaCoAuxHead.*num_samples'):
        build(segmentor_cfg(auxiliary_head=heads, gpaco=dict(num_samples=5)))


def test_what_it_has_of_the_papers_and_of_the_main_head(cfg, build):
    options = cfg()
    norm = dict(type='SyncBN', momentum=0.05)
    options['decode_head'].update(
        channels=24,
        num_classes=7,
        ignore_index=11,
        norm_cfg=norm,
        act_cfg=dict(type='GELU'),
        conv_cfg=dict(type='Conv2dAdaptivePadding'),
    )
    head = build(options).gpaco_head
    assert (head.in_channels, head.channels) == (24, 24)
    assert (head.num_classes, head.ignore_index) == (7, 11)
    assert (head.num_samples, head.loss_weight) == (8192, 1)
    loss = head.loss_decode
    assert (loss.alpha, loss.temperature) == (0.01, 0.07)
    assert loss.ignore_index == 11
    assert head.prior is None
    for block in head.projector[:2]:
        assert isinstance(block.norm, nn.SyncBatchNorm)
        assert block.norm.momentum == 0.05
        assert isinstance(block.activate, nn.GELU)
        assert type(block.conv).__name__ == 'Conv2dAdaptivePadding'


def test_what_differs_is_said_by_the_arguments_of_the_head(cfg, build, batch):
    assert not build(cfg()).gpaco_head.sample_after_projector
    gpaco = dict(
        num_samples=30,
        sample_after_projector=True,
        loss_decode=dict(alpha=0.02),
        loss_weight=0.5,
        class_counts=[5, 4, 3, 2, 1],
        norm_cfg=dict(type='GN', num_groups=4),
    )
    model = build(cfg(gpaco=gpaco))
    head = model.gpaco_head
    assert (head.num_samples, head.loss_weight) == (30, 0.5)
    assert head.sample_after_projector
    assert (head.loss_decode.alpha, head.loss_decode.temperature) == (
        *(0.02, 0.07),
    )
    assert head.prior().tolist() == [5, 4, 3, 2, 1]
    assert isinstance(head.projector[0].norm, nn.GroupNorm)
    check_gradients(model, batch)


def test_a_projector_is_never_one_linear_layer(cfg, build):
    options = cfg()
    options['decode_head']['act_cfg'] = None
    head = build(options).gpaco_head
    assert isinstance(head.projector[0].activate, nn.ReLU)


@pytest.mark.parametrize('gpaco', (False, 'backbone'))
def test_what_are_no_arguments_is_refused(cfg, build, gpaco):
    with pytest.raises(TypeError, match=f'or None.*got {gpaco!r}'):
        build(cfg(gpaco=gpaco))


def test_what_does_not_fit_the_main_head_is_refused(cfg, build):
    with pytest.raises(ValueError, match='num_classes=5.*num_classes=7'):
        build(cfg(gpaco=dict(num_classes=7)))
    options = cfg()
    options['decode_head'].update(num_classes=2, out_channels=1, threshold=0.5)
    with pytest.raises(ValueError, match='out_channels=1.*each of 2 classes'):
        build(options)


BACKBONE = dict(source='backbone', in_channels=32, in_index=2, channels=8)


@pytest.mark.parametrize('with_heads', (False, True))
def test_a_stage_of_the_backbone_is_contrasted_on_demand(
    cfg, build, batch, with_heads
):
    options = {} if with_heads else dict(auxiliary_head=None)
    model = build(cfg(gpaco=BACKBONE, **options))
    assert model.gpaco_head.conv.in_channels == 32
    assert model.gpaco_head.num_classes == 5
    check_gradients(model, batch)
    with pytest.raises(ValueError, match='needs in_channels.*in_index'):
        build(cfg(gpaco=dict(source='backbone', in_index=2)))
    with pytest.raises(ValueError, match='needs the channels'):
        build(cfg(gpaco=dict(source='backbone', in_channels=32)))


@pytest.mark.parametrize('gpaco', ({}, BACKBONE))
def test_bad_label_maps_are_told_before_anything_runs(
    cfg, build, samples, label_maps, gpaco
):
    model = build(cfg(gpaco=gpaco))
    data = samples(label_maps(2, (32, 32)), seg_map_path='b.png')
    with pytest.raises(ValueError, match='image of 64 x 64.*from b.png'):
        model.loss(torch.randn(2, 3, 64, 64), data)


def test_weights_go_from_the_stock_model_and_back(cfg, build, batch):
    stock = build(cfg(type='EncoderDecoder'), seed=1).eval()
    ours = build(cfg()).eval()
    result = ours.load_state_dict(stock.state_dict(), strict=False)
    assert result.unexpected_keys == []
    assert result.missing_keys
    assert all(x.startswith('gpaco_head.') for x in result.missing_keys)

    ours.gpaco_head.register_forward_pre_hook(
        lambda *_: pytest.fail('the head ran at inference')
    )
    with torch.no_grad():
        expected = stock(batch[0], mode='tensor')
        assert torch.equal(ours(batch[0], mode='tensor'), expected)
    back = build(cfg(type='EncoderDecoder'), seed=2).eval()
    back.load_state_dict(
        {
            name: value
            for name, value in ours.state_dict().items()
            if not name.startswith('gpaco_head.')
        },
        strict=True,
    )
    with torch.no_grad():
        assert torch.equal(back(batch[0], mode='tensor'), expected)


@pytest.mark.parametrize('pretrained', (None, 'file'))
def test_pretrained_and_init_cfg_are_those_of_the_stock_segmentor(
    cfg, build, tmp_path, pretrained
):
    """They give the weights of the main head and the backbone."""
    norm = dict(norm_cfg=dict(type='BN'))
    weights = build(cfg(type='EncoderDecoder'), seed=3).backbone.state_dict()
    options = {}
    if pretrained:
        pretrained = str(tmp_path / 'weights.pth')
        torch.save(weights, pretrained)
        options = dict(pretrained=pretrained)
    models = []
    for kind in ('EncoderDecoder', 'mmpaco.GPaCoEncoderDecoder'):
        model = build(cfg(type=kind, **options))
        torch.manual_seed(1)
        model.init_weights()
        models.append(model)
    stock, ours = models
    for name, value in stock.state_dict().items():
        assert torch.equal(ours.state_dict()[name], value), name
    assert ours.decode_head.conv_seg.weight.std() < 0.02
    if pretrained:
        for name, value in weights.items():
            found = ours.backbone.state_dict()[name]
            assert torch.equal(found, value), name
    own = build(cfg(gpaco=dict(BACKBONE, **norm)))
    own.init_weights()
    assert own.gpaco_head.conv_seg.weight.std() < 0.02


def test_synchronised_norms_are_reverted_with_all_others(cfg, build, batch):
    options = cfg()
    options['decode_head']['norm_cfg'] = dict(type='SyncBN')
    model = revert_sync_batchnorm(build(options))
    assert not any(isinstance(m, nn.SyncBatchNorm) for m in model.modules())
    check_gradients(model, batch)


def test_layers_of_it_can_be_checkpointed_and_it_as_a_whole_cannot(
    cfg, build, batch
):
    model = build(cfg())
    turn_on_activation_checkpointing(model, ['gpaco_head.projector'])
    check_gradients(model, batch)
    model = build(cfg())
    turn_on_activation_checkpointing(model, ['gpaco_head'])
    with pytest.raises(RuntimeError, match='activation_checkpointing'):
        model.loss(*batch)


def test_a_model_with_it_is_still_an_encoder_decoder(cfg, build):
    model = build(cfg())
    assert isinstance(model, EncoderDecoder)
    assert isinstance(model.auxiliary_head, nn.Module)
    assert model.with_auxiliary_head
    assert not build(cfg(auxiliary_head=None)).with_auxiliary_head


@pytest.mark.parametrize(
    'gpaco, key',
    (
        (dict(alpha=0.02), 'alpha'),
        (dict(num_sample=4096), 'num_sample'),
        (dict(loss_decode=dict(temperatur=0.1)), 'temperatur'),
    ),
)
def test_a_key_that_the_made_head_lacks_is_told_where_it_was_given(
    cfg, build, gpaco, key
):
    with pytest.raises(TypeError, match=f"gpaco=.*'{key}'.*loss_decode") as e:
        build(cfg(gpaco=gpaco))
    assert '_delete_' not in str(e.value)


def test_a_cascade_and_a_single_head_name_each_other(cfg, build):
    with pytest.raises(ValueError, match='use model.type=mmpaco.GPaCoCascade'):
        build(cfg(num_stages=2))
    with pytest.raises(ValueError, match='model.type=mmpaco.GPaCoEncoderDec'):
        build(cfg(type='mmpaco.GPaCoCascadeEncoderDecoder'))


def test_one_class_is_told_before_the_training(cfg, build):
    """As in the binary configs of mmseg, with a sigmoid."""
    made = cfg(auxiliary_head=None)
    made['decode_head'].update(num_classes=1)
    made['decode_head']['loss_decode'] = dict(
        type='CrossEntropyLoss', use_sigmoid=True
    )
    with pytest.raises(ValueError, match='two classes or more.*gpaco=None'):
        build(made)
