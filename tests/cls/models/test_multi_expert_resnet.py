"""Networks of experts, against RIDE's release and the plain networks."""

import copy
import re

import pytest
import torch
from mmengine.runner.activation_checkpointing import (
    turn_on_activation_checkpointing,
)
from mmpretrain.models.backbones import ResNet, ResNet_CIFAR, ResNeXt
from mmpretrain.models.necks import GlobalAveragePooling
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import (
    CheckpointWrapper,
)

from mmpaco.cls.models import (
    CIFARResNet,
    MultiExpertCIFARResNet,
    MultiExpertResNet,
    MultiExpertResNetCIFAR,
)


def size(module):
    return sum(x.numel() for x in module.parameters())


@pytest.mark.parametrize(
    'experts, widths, expected',
    [
        (1, None, 469_904),
        (2, (24, 48), 530_512),
        (3, (24, 48), 783_856),
        (4, (24, 48), 1_037_200),
        (3, None, 1_362_064),
    ],
)
def test_parameters_are_those_of_the_release(experts, widths, expected):
    net = MultiExpertCIFARResNet(num_experts=experts, widths=widths)
    channels = net.feat_dim
    assert channels == (64 if widths is None else 48)
    # With the cosines of 100 classes.
    assert size(net) + experts * 100 * channels == expected


def test_two_last_blocks_are_the_networks_of_bbn():
    net = MultiExpertCIFARResNet(num_experts=2, own_blocks=1)
    assert size(net) == 537_488
    assert len(net.layer3.shared) == 4
    large = MultiExpertResNet(50, num_experts=2, own_blocks=1)
    assert f'{size(large) / 1e6:.2f}' == '27.97'


def randomised(net):
    """Let each parameter and statistic matter."""
    torch.manual_seed(1)
    for x in net.state_dict().values():
        if x.is_floating_point():
            noise = torch.rand_like(x)
            x.copy_(0.5 + noise if x.dim() == 1 else (noise - 0.5) / 5)
    # mmpretrain's train and eval return nothing.
    net.eval()
    return net


def of_plain(net):
    """Weights of a plain network, as those of one expert of the last two."""
    own = len(net.res_layers) - 1, len(net.res_layers)
    pattern = rf'^layer([{own[0]}{own[1]}])\.'
    return {
        re.sub(pattern, r'layer\1.experts.0.', key): x
        for key, x in net.state_dict().items()
    }


PAIRS = {
    'cifar': (CIFARResNet, MultiExpertCIFARResNet, dict(depth=20), 32),
    'basic': (ResNet, MultiExpertResNet, dict(depth=18), 64),
    'bottleneck': (ResNet, MultiExpertResNet, dict(depth=50), 64),
    'small stem': (
        *(ResNet_CIFAR, MultiExpertResNetCIFAR, dict(depth=18), 32),
    ),
    'deep stem': (
        *(ResNet, MultiExpertResNet),
        *(dict(depth=18, deep_stem=True, avg_down=True), 64),
    ),
    'groups': (
        *(ResNeXt, MultiExpertResNet),
        *(dict(depth=50, groups=32, width_per_group=4), 64),
    ),
}


@pytest.mark.parametrize('name', PAIRS)
def test_one_expert_of_all_channels_is_the_plain_network(name):
    plain, multi, options, pixels = PAIRS[name]
    plain = randomised(plain(**options))
    net = multi(num_experts=1, **options)
    net.eval()
    net.load_state_dict(of_plain(plain))
    assert net.feat_dim == plain.feat_dim
    images = torch.randn(2, 3, pixels, pixels)
    with torch.no_grad():
        (expected,), (found,) = plain(images), net(images)
    assert expected.abs().max() > 0
    assert torch.equal(found, expected)


@pytest.mark.parametrize('blocks', (1, 2, 3))
def test_each_expert_of_the_last_blocks_is_a_plain_network(blocks):
    options = dict(depth=20, drop_path_rate=0.1)
    net = randomised(
        MultiExpertCIFARResNet(num_experts=2, own_blocks=blocks, **options)
    )
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        maps = net(images)
    assert len(maps) == 2 and not torch.allclose(*maps)
    for k, expected in enumerate(maps):
        state = {}
        for key, x in net.state_dict().items():
            key = key.replace('layer3.shared.', 'layer3.')
            own = re.fullmatch(r'layer3\.experts\.(\d)\.(\d)\.(.*)', key)
            if own and int(own[1]) != k:
                continue
            if own:
                key = f'layer3.{int(own[2]) + 3 - blocks}.{own[3]}'
            state[key] = x
        plain = CIFARResNet(**options)
        plain.eval()
        plain.load_state_dict(state)
        with torch.no_grad():
            assert torch.equal(plain(images)[0], expected)
        # Each block is left out as often as there.
        rates = [x.drop_path.drop_prob for x in plain.layer3]
        stage = net.layer3
        mine = [*(stage.shared or ()), *stage.experts[k]]
        assert [x.drop_path.drop_prob for x in mine] == rates


def test_experts_begin_apart_and_learn_by_their_own_map():
    torch.manual_seed(0)
    net = MultiExpertCIFARResNet(depth=20, widths=(24, 48))
    net.init_weights()
    maps = net(torch.randn(2, 3, 32, 32))
    first, second, third = (x.detach() for x in maps)
    assert not torch.allclose(first, second)
    assert not torch.allclose(second, third)
    maps[1].square().sum().backward()
    for name, x in net.named_parameters():
        expert = re.search(r'experts\.(\d)', name)
        is_reached = expert is None or expert[1] == '1'
        assert (x.grad is not None) == is_reached, name


@pytest.mark.parametrize('wrapped', (False, True))
@pytest.mark.parametrize(
    'options',
    [dict(own_blocks=1), dict(own_stages=2), dict(own_stages=3)],
    ids=str,
)
def test_recomputed_maps_are_those_of_the_same_expert(options, wrapped):
    """Also in a stage that something else holds, as FSDP does."""
    torch.manual_seed(0)
    net = MultiExpertCIFARResNet(depth=20, num_experts=2, **options)
    other = copy.deepcopy(net)
    if wrapped:
        other.layer3 = CheckpointWrapper(other.layer3)
    else:
        turn_on_activation_checkpointing(other, 'layer3')
    images = torch.randn(2, 4, 3, 32, 32)
    for found in (net, other):
        first, second = found(list(images))
        (first.square() + 2 * second).mean().backward()
    gradients = [x.grad for x in net.parameters()]
    for x, expected in zip(other.parameters(), gradients):
        assert torch.equal(x.grad, expected)


@pytest.mark.parametrize('groups', (1, 32))
def test_widths_of_bottlenecks_are_those_of_the_release(groups):
    net = MultiExpertResNet(
        50, widths=(192, 384), groups=groups, num_experts=2
    )
    net.eval()
    assert net.feat_dim == 1536
    inside = [192, 384] if groups == 1 else [384, 768]
    for stage, middle in zip((net.layer3, net.layer4), inside):
        for block in stage.experts[1]:
            assert block.conv2.out_channels == middle
            assert block.conv2.groups == groups
    assert net.layer2[-1].out_channels == 512
    with torch.no_grad():
        maps = net(torch.randn(1, 3, 64, 64))
    assert [x.shape for x in maps] == [(1, 1536, 2, 2)] * 2
    pooled = GlobalAveragePooling()(maps)
    assert [x.shape for x in pooled] == [(1, 1536)] * 2


def test_frozen_stages_are_those_of_all_experts():
    net = MultiExpertCIFARResNet(depth=20, frozen_stages=2)
    net.train()
    for name, x in net.named_parameters():
        assert x.requires_grad == name.startswith('layer3'), name
    for stage, is_on in ((net.layer2, False), (net.layer3, True)):
        assert all(x.training == is_on for x in stage.modules())


@pytest.mark.parametrize(
    'options, told',
    [
        (dict(num_experts=0), 'num_experts must be positive'),
        (dict(own_stages=0), 'own_stages must lie between 1 and 3'),
        (dict(own_stages=4), 'own_stages must lie between 1 and 3'),
        (dict(own_blocks=0), 'own_blocks must lie between 1 and 3'),
        (dict(own_blocks=4), 'own_blocks must lie between 1 and 3'),
        (dict(own_blocks=1, widths=(48,)), 'widths are for own_stages'),
        (dict(widths=(24,)), 'widths must be 2 positive numbers'),
        (dict(widths=(0, 48)), 'widths must be 2 positive numbers'),
        (dict(own_stages=0, widths=()), 'widths must be 0 positive numbers'),
        (dict(widths=(24, 16)), '8 less than the one before'),
        (dict(out_indices=(1, 2)), r'out_indices must be \(2,\)'),
    ],
)
def test_what_makes_no_experts_is_refused(options, told):
    with pytest.raises(ValueError, match=told):
        MultiExpertCIFARResNet(depth=20, **options)


@pytest.mark.parametrize(
    'options',
    [
        dict(num_experts=2.5),
        dict(own_stages=1.5),
        dict(own_blocks=True),
        dict(widths=(24.5, 48)),
    ],
    ids=str,
)
def test_what_is_no_integer_is_refused(options):
    (name,) = options
    with pytest.raises(TypeError, match=f'{name} must be of integers'):
        MultiExpertCIFARResNet(depth=20, **options)


def test_a_depth_that_is_not_there_is_refused():
    with pytest.raises(KeyError, match='18'):
        MultiExpertResNet(18, groups=32)
