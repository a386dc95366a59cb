"""The base networks against torchvision's, and what is frozen in training."""

import copy

import pytest
import torch
import torchvision
from mmengine.config import Config
from mmengine.runner import Runner, find_latest_checkpoint
from mmpretrain.registry import MODELS
from support.paths import CONFIGS
from support.scope import enter_scope

from mmpaco.cls.models import FrozenConvResNet

BASES = CONFIGS / '_base_' / 'models'
# Parameters with 1000 classes, as torchvision publishes them.
TORCHVISION = {
    'resnet50': ('resnet50', 25557032),
    'resnet101': ('resnet101', 44549160),
    'resnet152': ('resnet152', 60192808),
    'resnext50-32x4d': ('resnext50_32x4d', 25028904),
    # Published with groups of width 8 alone.
    'resnext101-32x4d': (None, 44177704),
}


@pytest.fixture(autouse=True)
def scope():
    enter_scope('mmpretrain')


def build(base, **backbone):
    cfg = Config.fromfile(str(BASES / f'{base}.py'))
    cfg.model.backbone.update(backbone)
    return MODELS.build(cfg.model)


def of_torchvision(base):
    name, _ = TORCHVISION[base]
    if name is not None:
        return getattr(torchvision.models, name)()
    return torchvision.models.ResNet(
        torchvision.models.resnet.Bottleneck,
        [3, 4, 23, 3],
        groups=32,
        width_per_group=4,
    )


def torchvision_names(model):
    """State of a classifier by the names of torchvision."""
    return {
        name.split('.', 1)[1]: value
        for name, value in model.state_dict().items()
        if not name.startswith('data_preprocessor')
    }


def number(model):
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize('base', TORCHVISION)
def test_parameters_are_those_of_torchvision(base):
    ours, theirs = build(base), of_torchvision(base)
    assert number(ours) == number(theirs) == TORCHVISION[base][1]
    shapes = {n: v.shape for n, v in torchvision_names(ours).items()}
    assert shapes == {n: v.shape for n, v in theirs.state_dict().items()}


def test_parameters_of_resnet200():
    def convolution(inputs, outputs, side=1):
        # With the affine part of its norm.
        return inputs * outputs * side**2 + 2 * outputs

    expected, before = convolution(3, 64, 7), 64
    for blocks, width in zip((3, 24, 36, 3), (64, 128, 256, 512)):
        expected += convolution(before, 4 * width)
        for _ in range(blocks):
            expected += convolution(before, width)
            expected += convolution(width, width, 3)
            expected += convolution(width, 4 * width)
            before = 4 * width
    expected += 2048 * 1000 + 1000
    assert number(build('resnet200')) == expected == 64673832


@pytest.mark.parametrize('base', ('resnet50', 'resnext50-32x4d'))
def test_outputs_are_those_of_torchvision(base, tmp_path):
    torch.manual_seed(0)
    theirs = of_torchvision(base)
    # Of another norm than the initial one, so that its order matters.
    theirs(torch.randn(4, 3, 64, 64))
    torch.save(theirs.state_dict(), tmp_path / 'weights.pth')
    weights = dict(type='Pretrained', checkpoint=f'{tmp_path}/weights.pth')
    ours = build(base, init_cfg=weights)
    ours.init_weights()
    ours.head.fc.load_state_dict(theirs.fc.state_dict())
    images = torch.randn(2, 3, 64, 64)
    ours.eval()
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs.eval()(images))


def test_cifar_resnet50_has_a_stem_that_keeps_the_size():
    torch.manual_seed(0)
    theirs = torchvision.models.resnet50(num_classes=100)
    theirs.conv1 = torch.nn.Conv2d(3, 64, 3, 1, 1, bias=False)
    theirs.maxpool = torch.nn.Identity()
    ours = build('cifar-resnet50')
    for name, value in torchvision_names(ours).items():
        value.copy_(theirs.state_dict()[name])
    assert number(ours) == number(theirs) == 23705252
    images = torch.randn(1, 3, 32, 32)
    ours.eval()
    with torch.no_grad():
        assert ours.backbone(images)[0].shape == (1, 2048, 4, 4)
        torch.testing.assert_close(ours(images), theirs.eval()(images))


def test_cifar_resnet32_classifies():
    model = build('cifar-resnet32')
    assert model(torch.randn(2, 3, 32, 32)).shape == (2, 100)
    assert number(model.backbone) == 463504


def test_no_block_starts_as_the_identity():
    for base in ('resnet50', 'cifar-resnet50', 'cifar-resnet32'):
        model = build(base)
        model.init_weights()
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                assert (module.weight == 1).all()


def test_places_lt_trains_the_convolutions_of_the_last_block_alone():
    model = build('resnet152_places-lt')
    trained = {n for n, p in model.named_parameters() if p.requires_grad}
    convolutions, norms = set(), set()
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Conv2d):
            convolutions.add(f'{name}.weight')
        elif isinstance(module, torch.nn.BatchNorm2d):
            norms |= {f'{name}.weight', f'{name}.bias'}
    last = {f'backbone.layer4.2.conv{i}.weight' for i in (1, 2, 3)}
    assert len(convolutions) == 155 and last < convolutions
    assert trained == norms | last | {'head.fc.weight', 'head.fc.bias'}
    assert model.head.fc.weight.shape == (365, 2048)


@pytest.mark.parametrize('trained_blocks, layers', ((0, ()), (2, (0, 1))))
def test_number_of_trained_blocks(trained_blocks, layers):
    model = FrozenConvResNet(18, trained_blocks)
    trained = {
        name.rsplit('.conv', 1)[0]
        for name, p in model.named_parameters()
        if p.requires_grad and '.conv' in name
    }
    assert trained == {f'layer4.{i}' for i in layers}
    with pytest.raises(ValueError, match='between 0 and 2, .* but got 3'):
        FrozenConvResNet(18, 3)


def small(cfg, tmp_path):
    """Give a config a small network, and the weights to start from."""
    cfg.model.backbone = dict(
        type='mmpaco.FrozenConvResNet',
        depth=18,
        in_channels=1,
        stem_channels=4,
        base_channels=4,
    )
    cfg.model.head.in_channels = 32
    cfg.train_cfg.val_begin = 2
    torch.manual_seed(0)
    model = MODELS.build(copy.deepcopy(cfg.model))
    model.init_weights()
    start = {n: v.clone() for n, v in model.state_dict().items()}
    torch.save(start, tmp_path / 'start.pth')
    cfg.load_from = str(tmp_path / 'start.pth')
    return start


def check_frozen(start, end):
    for name, value in end.items():
        if name not in start or not name.startswith('backbone.'):
            continue
        frozen = value.dim() == 4 and not name.startswith('backbone.layer4.1')
        if 'num_batches' not in name:
            assert torch.equal(value, start[name]) is frozen, name


@pytest.mark.parametrize(
    'config',
    (
        'baselines/cross-entropy_lenet5_mnist5k-lt.py',
        'paco/lenet5_mnist5k-lt.py',
    ),
)
def test_frozen_weights_stay_and_batch_norm_moves(
    mnist_config, tmp_path, config
):
    """Weight decay leaves them alone, too."""
    cfg = mnist_config(config)
    start = small(cfg, tmp_path)
    runner = Runner.from_cfg(cfg)
    runner.train()
    check_frozen(start, runner.model.state_dict())
    encoder = getattr(runner.model, 'momentum_encoder', None)
    if encoder is not None:
        for name, value in encoder.module.backbone.named_parameters():
            first = start[f'backbone.{name}']
            now = runner.model.backbone.get_parameter(name)
            if now.requires_grad:
                # Single values may have come back to where they began.
                assert (first - value).norm() < (first - now).norm(), name
                assert not torch.equal(value, first), name
            else:
                torch.testing.assert_close(value, first)


@pytest.mark.slow
def test_frozen_weights_stay_in_two_processes(
    mnist_config, dist_train, tmp_path
):
    """DDP waits for no gradient of theirs: they are frozen before it."""
    cfg = mnist_config('paco/lenet5_mnist5k-lt.py')
    start = small(cfg, tmp_path)
    cfg.default_hooks.checkpoint.interval = 1
    dist_train(cfg, 2)
    file = find_latest_checkpoint(cfg.work_dir)
    saved = torch.load(file, map_location='cpu', weights_only=False)
    check_frozen(start, saved['state_dict'])
