"""Focal losses and class-balanced ones, against their releases."""

import pytest
import torch
from support.released_losses import CLOSE, COUNTS, LABELS, SCORES, check

from mmpaco.losses import ClassBalancedLoss

# Kind, beta, gamma; loss, gradient: L1, L2, first entry, sum.
RELEASED = {
    'softmax focal 1': (
        *('focal', 0, 1),
        *(2.804300918, 1.678690554, 0.4085854742, -0.1281907936, 0),
    ),
    'softmax focal 2': (
        *('focal', 0, 2),
        *(2.686960685, 1.668947423, 0.4168041276, -0.1325185606, 0),
    ),
    'softmax focal 1, 0.9999 outside of p': (
        *('focal', 0.9999, 1),
        *(0.8755941155, 0.7216029865, 0.2643816759, -0.00367037613, 0),
    ),
    'CB softmax 0.9999': (
        *('softmax', 0.9999, 1),
        *(1.041776973, 0.7936289648, 0.2995999755, -0.003543607679, 0),
    ),
    'CB sigmoid 0.9999': (
        *('sigmoid_focal', 0.9999, 0, 3.361781763, 1.333121868),
        *(0.573184622, -0.001789508449, 0.9573544298),
    ),
    'CB focal 0.9999, 0.5': (
        *('sigmoid_focal', 0.9999, 0.5, 3.087808705, 1.331787672),
        *(0.5998027423, -0.001703918617, 0.9507785966),
    ),
    'CB focal 0.9999, 1': (
        *('sigmoid_focal', 0.9999, 1, 2.896172373, 1.342847253),
        *(0.6207966449, -0.001514950592, 0.9531393245),
    ),
    'CB focal 0.9999, 2': (
        *('sigmoid_focal', 0.9999, 2, 2.606542228, 1.363912956),
        *(0.6471409222, -0.00106757348, 0.9671588821),
    ),
    'CB focal 0.999, 0.5': (
        *('sigmoid_focal', 0.999, 0.5, 3.110218403, 1.339682905),
        *(0.5974804167, -0.002098710198, 0.9554576681),
    ),
    'CB focal 0.999, 1': (
        *('sigmoid_focal', 0.999, 1, 2.917716356, 1.35081658),
        *(0.6183947408, -0.001865958988, 0.9580173653),
    ),
    'CB focal 0.9, 2': (
        *('sigmoid_focal', 0.9, 2, 4.626794832, 2.159297811),
        *(0.5238106812, -0.02568800027, 1.51812634),
    ),
    'sigmoid focal 0': ('sigmoid_focal', 0, 0, 6.889013201),
    'sigmoid focal 0.5': ('sigmoid_focal', 0, 0.5, 6.446163108),
    'sigmoid focal 1': ('sigmoid_focal', 0, 1, 6.123734219),
    'sigmoid focal 2': ('sigmoid_focal', 0, 2, 5.634347168),
}


@pytest.mark.parametrize('case', RELEASED)
def test_loss_and_gradient_are_those_of_the_release(case):
    kind, beta, gamma, *expected = RELEASED[case]
    counts = COUNTS if beta else None
    loss = ClassBalancedLoss(5, kind, beta, gamma, class_counts=counts)
    check(lambda x: loss(x, LABELS, avg_factor=8), SCORES, *expected)


def test_weighted_cross_entropy_may_divide_by_the_weights_as_pytorch_does():
    loss = ClassBalancedLoss(5, divide_by='weights', class_counts=COUNTS)
    check(
        lambda x: loss(x, LABELS, avg_factor=8),
        SCORES,
        *(1.533875628, 1.168511264, 0.4411204246, -0.005217482817, 0),
    )
    weights = loss.class_weights(torch.float64)
    torch.testing.assert_close(
        loss(SCORES, LABELS),
        torch.nn.functional.cross_entropy(SCORES, LABELS, weights),
    )


def test_sigmoid_focal_is_that_of_mmpretrain():
    """Without class weights; its alpha halves the loss."""
    models = pytest.importorskip('mmpretrain.models')
    for gamma in (0.5, 1, 2):
        theirs = models.FocalLoss(gamma, alpha=0.5, loss_weight=2.0)
        ours = ClassBalancedLoss(5, 'sigmoid_focal', beta=0, gamma=gamma)
        expected = theirs(SCORES, LABELS, avg_factor=8)
        assert float(ours(SCORES, LABELS)) == pytest.approx(
            float(expected), **CLOSE
        )


@pytest.mark.parametrize('kind', ('focal', 'sigmoid_focal'))
def test_a_power_below_one_is_finite_where_the_error_is_zero(kind):
    """Where that of p has a NaN for a gradient."""
    scores = torch.tensor([[20.0, -20.0], [300.0, -300.0]], requires_grad=True)
    loss = ClassBalancedLoss(2, kind, beta=0, gamma=0.5)
    found = loss(scores, torch.tensor([0, 0]))
    found.backward()
    assert float(found) == pytest.approx(0, abs=1e-8)
    assert scores.grad.isfinite().all()


@pytest.mark.parametrize(
    'options, told',
    [
        (dict(kind='sigmoid'), 'kind must be one of'),
        (dict(kind='focal', gamma=-1.0), 'gamma'),
    ],
)
def test_what_is_out_of_range_is_refused(options, told):
    with pytest.raises(ValueError, match=told):
        ClassBalancedLoss(5, **options)
