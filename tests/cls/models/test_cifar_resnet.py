"""ResNet-32 against counts by hand and a plain PyTorch one."""

import pytest
import torch
import torch.nn.functional as F

from mmpaco.cls.models import CIFARResNet


def resnet(**options):
    torch.manual_seed(0)
    model = CIFARResNet(**options)
    model.init_weights()
    return model


@pytest.mark.parametrize('depth', (20, 32, 56))
def test_parameters_by_formula(depth):
    blocks = (depth - 2) // 6
    expected = 3 * 16 * 9 + 2 * 16
    before = 16
    for width in (16, 32, 64):
        # The first convolution of a stage may have fewer inputs.
        expected += (before + (2 * blocks - 1) * width) * width * 9
        expected += 2 * blocks * 2 * width
        before = width
    assert sum(p.numel() for p in resnet(depth=depth).parameters()) == expected
    if depth == 32:
        assert expected == 463504


def by_hand(model, x):
    """Evaluate with PyTorch's functions alone."""
    weights = model.state_dict()

    def conv_norm(x, conv, norm, stride=1):
        x = F.conv2d(x, weights[f'{conv}.weight'], None, stride, 1)
        stats = (weights[f'{norm}.running_{name}'] for name in ('mean', 'var'))
        affine = (weights[f'{norm}.{name}'] for name in ('weight', 'bias'))
        return F.batch_norm(x, *stats, *affine)

    x = conv_norm(x, 'conv1', 'bn1').relu()
    for stage in (1, 2, 3):
        for block in range(5):
            name = f'layer{stage}.{block}'
            stride = 2 if stage > 1 and block == 0 else 1
            out = conv_norm(x, f'{name}.conv1', f'{name}.bn1', stride).relu()
            out = conv_norm(out, f'{name}.conv2', f'{name}.bn2')
            if stride == 2:
                x = x[:, :, ::2, ::2]
                zeros = torch.zeros_like(x[:, : x.shape[1] // 2])
                x = torch.cat([zeros, x, zeros], dim=1)
            x = (x + out).relu()
    return x


def test_outputs_are_those_of_plain_pytorch():
    model = resnet()
    model.eval()
    for name, value in model.named_buffers():
        if name.endswith('running_mean'):
            value.normal_(std=0.1)
        elif name.endswith('running_var'):
            value.uniform_(0.5, 2)
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        (out,) = model(images)
        assert out.shape == (2, 64, 8, 8)
        torch.testing.assert_close(out, by_hand(model, images))


def test_convolutions_start_kaiming_normal_and_no_block_as_identity():
    model = resnet()
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Conv2d):
            std = (2 / module.weight[0].numel()) ** 0.5
            number = module.weight.numel()
            # Five standard errors of a standard deviation.
            bound = 5 / (2 * number) ** 0.5
            assert module.weight.std().item() == pytest.approx(std, rel=bound)
            # A uniform distribution of this deviation ends at 1.73 of it.
            assert module.weight.abs().max() > 2 * std, name
        elif isinstance(module, torch.nn.BatchNorm2d):
            assert (module.weight == 1).all() and (module.bias == 0).all()


def test_stages_outputs_and_frozen_parts_are_those_of_mmpretrain():
    model = resnet(out_indices=(0, 1, 2), frozen_stages=1, norm_eval=True)
    model.train()
    outputs = model(torch.randn(2, 3, 32, 32))
    shapes = [tuple(out.shape[1:]) for out in outputs]
    assert shapes == [(16, 32, 32), (32, 16, 16), (64, 8, 8)]
    frozen = [n for n, p in model.named_parameters() if not p.requires_grad]
    assert frozen and all(n.startswith(('conv1', 'bn1', 'l')) for n in frozen)
    assert not any(n.startswith(('layer2', 'layer3')) for n in frozen)
    assert not any(
        module.training
        for module in model.modules()
        if isinstance(module, torch.nn.BatchNorm2d)
    )
    with pytest.raises(KeyError, match='invalid depth 50'):
        CIFARResNet(depth=50)
