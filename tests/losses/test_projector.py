"""The plain projector, and its twin on mmcv's layers."""

import pytest
import torch

from mmpaco.losses import Projector


def rows(num_rows=6, channels=12):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(num_rows, channels, generator=generator)


@pytest.mark.parametrize(
    'options',
    (
        {},
        dict(hidden_channels=7, out_channels=5, num_layers=2),
        dict(norm_cfg=dict(type='BN1d')),
        dict(norm_cfg=dict(type='LN', eps=1e-3), act_cfg=dict(type='GELU')),
        dict(num_layers=1),
    ),
)
def test_the_registered_twin_has_its_state_and_gives_the_same(options):
    models = pytest.importorskip('mmpretrain.models')
    assert models
    from mmengine.registry import MODELS

    plain = Projector(12, **options)
    twin = MODELS.build(
        dict(type='mmpaco.Projector', in_channels=12, **options)
    )
    twin.load_state_dict(plain.state_dict(), strict=True)
    assert list(twin.state_dict()) == list(plain.state_dict())
    found, expected = twin(rows()), plain(rows())
    assert torch.equal(found, expected)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(6))
    assert twin.out_channels == plain.out_channels == expected.shape[1]


def test_gradients_reach_every_layer():
    made = Projector(12)
    (made(rows()) * rows(6, 128)).sum().backward()
    for name, parameter in made.named_parameters():
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize(
    'options, message',
    (
        (dict(num_layers=0), 'at least one layer'),
        (dict(norm_cfg=dict(type='NoNorm')), "torch.nn.*'NoNorm'"),
        (dict(act_cfg=dict(type='functional')), "torch.nn.*'functional'"),
        (dict(norm_cfg=dict(eps=1)), 'torch.nn.*None'),
    ),
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Projector(12, **options)
