"""The projector that configs name."""

import math

import pytest
import torch
from mmpretrain.registry import MODELS
from support.paths import CONFIGS
from support.scope import enter_scope
from torch import nn

from mmpaco.cls.models import Projector


@pytest.fixture(autouse=True)
def scope():
    enter_scope('mmpretrain')


@pytest.mark.parametrize('method', ('gpaco', 'paco'))
def test_resnet32_starts_with_the_projector_of_the_release(method):
    """Its last layer by kaiming_normal_, the others as PyTorch has them."""
    from mmengine.config import Config

    cfg = Config.fromfile(CONFIGS / method / 'resnet32_cifar100-lt-if100.py')
    torch.manual_seed(0)
    head = MODELS.build(cfg.model.head)
    head.init_weights()
    *hidden, last = [
        m for m in head.projector.modules() if isinstance(m, nn.Linear)
    ]
    assert last is head.projector.last
    assert last.weight.std().item() == pytest.approx(math.sqrt(2 / 64), 0.05)
    assert last.weight.abs().max() > 0.4
    assert hidden
    for layer in hidden:
        bound = 1 / math.sqrt(64)
        assert layer.weight.std().item() == pytest.approx(
            bound / math.sqrt(3), 0.05
        )
        assert layer.weight.abs().max() <= bound


def test_a_batch_of_one_image_under_batch_norm_says_what_to_set():
    made = Projector(6, norm_cfg=dict(type='BN1d'))
    with pytest.raises(ValueError, match='drop_last=True'):
        made(torch.randn(1, 6))
    assert made.eval()(torch.randn(1, 6)).shape == (1, 128)
    assert Projector(6)(torch.randn(1, 6)).shape == (1, 128)


def test_batch_norm_that_is_frozen_takes_one_image():
    made = Projector(6, norm_cfg=dict(type='BN1d'))
    for module in made.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.eval()
    assert made(torch.randn(1, 6)).shape == (1, 128)
