"""The contract of contrastive losses, for ours and for one's own."""

import inspect
import math

import pytest
import torch
import torch.nn.functional as F
from support.prototype_loss import PrototypeLoss

from mmpaco.losses import (
    ContrastiveLoss,
    MultiTaskLoss,
    PaCoLoss,
    SupConLoss,
)

COUNTS = torch.tensor([7, 2, 1])


LOSSES = (
    lambda **options: PaCoLoss(0.05, 0.2, **options),
    lambda **options: SupConLoss(0.2, **options),
    lambda **options: MultiTaskLoss(reweight=True, **options),
    lambda **options: PrototypeLoss(0.2, **options),
)


def inputs(dtype=torch.float32, scores=None):
    generator = torch.Generator().manual_seed(0)
    rows = F.normalize(torch.randn(9, 4, generator=generator), dim=1)
    return dict(
        features=rows[:6].to(dtype),
        labels=torch.tensor([0, 1, 2, 0, 1, 1], dtype=torch.int32),
        center_logits=torch.randn(6, 3, generator=generator).to(
            scores or dtype
        ),
        extra_features=rows[6:].to(dtype),
        extra_labels=torch.tensor([2, 0, 1]),
        class_counts=COUNTS,
    )


@pytest.mark.parametrize('make', LOSSES)
@pytest.mark.parametrize('counts', (torch.int64, torch.float64, torch.float16))
@pytest.mark.parametrize(
    'rows, scores, expected',
    (
        (torch.float16, torch.float16, torch.float32),
        (torch.bfloat16, torch.float32, torch.float32),
        (torch.float32, torch.float32, torch.float32),
        (torch.float64, torch.float32, torch.float64),
        (torch.float32, torch.float64, torch.float64),
    ),
)
def test_rows_and_scores_decide_the_dtype(
    make, counts, rows, scores, expected
):
    given = inputs(rows, scores)
    given['class_counts'] = COUNTS.to(counts)
    assert make()(**given).dtype == expected


@pytest.mark.parametrize('make', LOSSES)
def test_whole_counts_lose_nothing_in_float64(make):
    """A prior in float32 would be off by 1e-8."""
    given = inputs(torch.float64)
    found = make()(**given)
    given['class_counts'] = COUNTS.double()
    assert abs(float(found - make()(**given))) < 1e-15


@pytest.mark.parametrize('make', LOSSES)
def test_reductions_agree_and_ignored_anchors_add_nothing(make):
    given = inputs()
    each = make(reduction='none')(**given)
    assert each.shape == (6,)
    torch.testing.assert_close(make()(**given), each.mean())
    torch.testing.assert_close(make(reduction='sum')(**given), each.sum())


@pytest.mark.parametrize('make', LOSSES[:3])
def test_where_nothing_is_counted_the_loss_is_zero_with_a_graph(make):
    given = inputs()
    given['labels'] = torch.full((6,), 255)
    given['features'].requires_grad_()
    loss = make(ignore_index=255)(**given)
    assert loss.item() == 0
    (grad,) = torch.autograd.grad(loss, given['features'])
    assert not grad.any()


@pytest.mark.parametrize('make', LOSSES)
def test_no_extra_rows_are_as_zero_of_them(make):
    given = inputs()
    given['extra_features'] = torch.zeros(0, 4)
    given['extra_labels'] = torch.zeros(0, dtype=torch.int64)
    empty = make()(**given)
    given['extra_features'] = given['extra_labels'] = None
    assert torch.equal(make()(**given), empty)


@pytest.mark.parametrize('make', LOSSES)
@pytest.mark.parametrize(
    'changes, error, message',
    (
        (dict(features=torch.zeros(6)), ValueError, 'features must have'),
        (dict(labels=torch.zeros(6)), TypeError, 'labels must be int64'),
        (dict(labels=torch.zeros(5).long()), ValueError, 'one label'),
        (dict(center_logits=torch.zeros(5, 3)), ValueError, 'N=6'),
        (dict(extra_labels=None), ValueError, 'go together'),
        (dict(extra_features=torch.zeros(3, 5)), ValueError, 'dimensions'),
        (dict(class_counts=torch.ones(4)), ValueError, 'one class count'),
    ),
)
def test_every_loss_refuses_the_same_inputs(make, changes, error, message):
    with pytest.raises(error, match=message):
        make()(**{**inputs(), **changes})


@pytest.mark.parametrize('make', LOSSES)
@pytest.mark.parametrize(
    'options, message',
    (
        (dict(reduction='max'), 'reduction must be one of'),
        (dict(impl='fast'), 'impl must be one of'),
        (dict(base_temperature=0.0), 'base_temperature must be finite'),
        (dict(base_temperature=math.inf), 'base_temperature must be finite'),
    ),
)
def test_every_loss_refuses_the_same_arguments(make, options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)


@pytest.mark.parametrize('make', LOSSES)
def test_a_printed_loss_shows_all_arguments(make):
    loss = make()
    shown = repr(loss)
    for kind in type(loss).__mro__:
        if not issubclass(kind, ContrastiveLoss):
            continue
        for name in inspect.signature(kind).parameters:
            if name != 'kwargs':
                assert f'{name}={getattr(loss, name)!r}' in shown


def test_a_loss_of_ones_own_has_no_dense_form_unless_it_says_so():
    with pytest.raises(ValueError, match='PrototypeLoss has no dense form'):
        PrototypeLoss(0.2, impl='dense')


def test_a_loss_without_a_method_says_which():
    with pytest.raises(NotImplementedError, match='anchor_losses'):
        ContrastiveLoss(0.2)(**inputs())


@pytest.mark.parametrize('dtype', (torch.float16, torch.bfloat16))
def test_autocast_changes_nothing_inside(dtype):
    expected = PrototypeLoss(0.2)(**inputs())
    with torch.autocast('cpu', dtype=dtype):
        assert torch.equal(PrototypeLoss(0.2)(**inputs()), expected)
