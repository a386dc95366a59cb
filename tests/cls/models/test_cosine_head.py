"""The classifier by cosines, against LDAM's release."""

import pytest
import torch
from mmpretrain.registry import MODELS
from support.released_losses import (
    COUNTS,
    FEATURE_FIRST,
    FEATURES,
    LABELS,
    figures,
)
from support.scope import enter_scope

from mmpaco.cls.models import CosineClsHead
from mmpaco.cls.models.cosine_head import unit_rows


@pytest.fixture(autouse=True)
def scope():
    enter_scope('mmpretrain')


def head(num_classes=5, in_channels=6, **options):
    loss = dict(type='mmpaco.LDAMLoss', num_classes=num_classes)
    options = {'loss': loss, **options}
    return CosineClsHead(num_classes, in_channels, **options)


def of_the_release():
    found = head().double()
    with torch.no_grad():
        # Stored feature-first there.
        found.fc.weight.copy_(FEATURE_FIRST.T)
    return found


def test_scores_are_cosines_of_the_release_times_the_scale():
    cosines = of_the_release()((FEATURES,)) / 30
    assert cosines.sum().item() == pytest.approx(0.7220562756, rel=1e-9)
    assert cosines.norm().item() == pytest.approx(4.108936005, rel=1e-9)
    ends = [cosines[0, 0].item(), cosines[-1, -1].item()]
    expected = [-0.3063544983, 0.4845094016]
    assert ends == pytest.approx(expected, rel=1e-9)


def test_loss_and_gradients_are_those_of_the_release():
    found, features = of_the_release(), FEATURES.clone().requires_grad_()
    found.loss_module.prior.set_class_counts(COUNTS)
    loss = found.loss_module(found((features,)), LABELS, avg_factor=8)
    assert loss.item() == pytest.approx(8.227529519, rel=1e-9)
    loss.backward()
    expected = (9.185662438, 1.8419446, -0.0003730860195, 2.195513341)
    assert figures(features.grad) == pytest.approx(expected, rel=1e-8)
    expected = (26.59653901, 6.24673254, 0.1963175652, -0.5195841947)
    assert figures(found.fc.weight.grad) == pytest.approx(expected, rel=1e-9)


def test_weights_begin_uniform_and_of_length_one():
    model = MODELS.build(
        dict(
            type='ImageClassifier',
            backbone=dict(type='mmpaco.CIFARResNet', depth=32),
            neck=dict(type='GlobalAveragePooling'),
            head=dict(
                type='mmpaco.CosineClsHead',
                num_classes=100,
                in_channels=64,
                loss=dict(type='mmpaco.LDAMLoss', num_classes=100),
            ),
            # What models do to all linear layers has no part in it.
            init_cfg=dict(type='Constant', layer='Linear', val=3.0),
        )
    )
    # As the release has it with 100 classes.
    assert sum(x.numel() for x in model.parameters()) == 469_904
    model.init_weights()
    weight = model.head.fc.weight.detach()
    torch.testing.assert_close(weight.norm(dim=1), torch.ones(100))
    # Uniform values have a kurtosis of 1.8 (normal ones 3).
    kurtosis = (weight**4).mean() / (weight**2).mean() ** 2
    assert 1.7 < float(kurtosis) < 2.0
    assert abs(float(weight.mean())) < 0.01


@pytest.mark.parametrize(
    'dtype', (torch.float64, torch.float32, torch.bfloat16, torch.half)
)
def test_rows_of_zeros_stay(dtype):
    """In float16 as well, where the least divisor of PyTorch is 0."""
    rows = torch.tensor([[0, 0], [3, 4]], dtype=dtype)
    found = unit_rows(rows)
    expected = torch.tensor([[0, 0], [0.6, 0.8]], dtype=dtype)
    torch.testing.assert_close(found, expected)


def test_another_loss_needs_no_scale():
    found = head(scale=16.0, loss=dict(type='CrossEntropyLoss'))
    assert found((found.fc.weight,)).max().item() == pytest.approx(16)


@pytest.mark.parametrize('scale', (0.0, -30.0, 16.0))
def test_a_scale_that_is_not_that_of_the_loss_is_refused(scale):
    with pytest.raises(ValueError, match='scale must be positive, and that'):
        head(scale=scale)
