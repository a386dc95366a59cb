"""The label smoothing of MiSLAS, against its release."""

import pytest
import torch
from support.released_losses import (
    CENTERS,
    COUNTS,
    FEATURES,
    LABELS,
    SCORES,
    check,
    figures,
)

from mmpaco.losses import LabelAwareSmoothLoss

SMOOTHING = {
    ('concave', 0.4, 0.1): (0.2338215534, 0.1388438524, 0.1085495481),
    ('concave', 0.3, 0): (0.1338215534, 0.03884385245, 0.008549548115),
    ('concave', 0.2, 0): (0.08921436891, 0.02589590163, 0.005699698744),
    ('linear', 0.4, 0.1): (0.1883064516, 0.1247983871, 0.1054435484),
    ('convex', 0.4, 0.1): (0.1315008532, 0.1025253706, 0.1001218494),
    ('exp', 0.4, 0.1): (0.1259934313, 0.1020498667, 0.1000987741),
}
LOSSES = {
    ('concave', 0.4, 0.1): (
        *(2.952958256, 1.406752622, 0.3374579034, -0.083763305),
    ),
    ('concave', 0.3, 0): (
        *(2.916841413, 1.495804732, 0.3619694027, -0.093763305),
    ),
    ('concave', 0.2, 0): (
        *(2.937495606, 1.538574263, 0.3719192781, -0.103763305),
    ),
    ('linear', 0.4, 0.1): (
        *(2.927175392, 1.41654428, 0.3407123976, -0.083763305),
    ),
}


def loss_of(shape, head, tail, counts=COUNTS):
    return LabelAwareSmoothLoss(
        len(counts), head, tail, shape, class_counts=counts
    )


@pytest.mark.parametrize('case', SMOOTHING)
def test_smoothing_is_that_of_the_release(case):
    found = loss_of(*case).smoothing(torch.float64)
    expected = [case[1], *SMOOTHING[case], case[2]]
    assert found.tolist() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize('case', LOSSES)
def test_loss_and_gradient_are_those_of_the_release(case):
    loss = loss_of(*case)
    check(lambda x: loss(x, LABELS, avg_factor=8), SCORES, *LOSSES[case])


def test_gradients_of_the_second_stage_are_those_of_the_release():
    """Of scores that a factor of each class scales."""
    factor = 1 + 0.1 * torch.arange(5, dtype=torch.float64)
    bias = 0.1 * torch.arange(5, dtype=torch.float64)
    given = [x.clone().requires_grad_() for x in (factor, CENTERS, bias)]
    scores = given[0] * (FEATURES @ given[1].T + given[2])
    found = loss_of('concave', 0.4, 0.1)(scores, LABELS)
    assert float(found) == pytest.approx(1.036425375, rel=1e-9)
    found.backward()
    expected = (
        (0.7231416464, 0.3708802459, 0.2112662008, 0.1705131868),
        (1.60421597, 0.3328895185, 0.06474986774),
        (0.3182594467, 0.155527352, 0.08297187121),
    )
    for values, figures_of in zip(given, expected):
        mine = figures(values.grad)[: len(figures_of)]
        assert mine == pytest.approx(figures_of, rel=1e-9)


@pytest.mark.parametrize(
    'factor, ends, at, expected',
    [
        (
            *(100, (0.4, 0.1), [0, 1, 10, 50, 90, 99]),
            (0.4, 0.3992013004, 0.349242369, 0.1408089887, 0.1019039828, 0.1),
        ),
        (50, (0.3, 0), [10, 50], (0.25948646, 0.05640332)),
        (10, (0.2, 0), [10, 50], (0.18696514, 0.07232491)),
    ],
)
def test_smoothing_of_long_tailed_cifar100(factor, ends, at, expected):
    counts = [int(500 * factor ** (-i / 99)) for i in range(100)]
    found = loss_of('concave', *ends, counts).smoothing(torch.float64)
    assert found[at].tolist() == pytest.approx(expected, abs=1e-8)
    if factor == 100:
        assert float(found.sum()) == pytest.approx(18.49697282, rel=1e-9)


def test_one_smoothing_for_all_is_that_of_pytorch():
    found = loss_of('concave', 0.1, 0.1)(SCORES, LABELS)
    expected = torch.nn.functional.cross_entropy(
        SCORES, LABELS, label_smoothing=0.1
    )
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize('shape', ('concave', 'linear', 'convex', 'exp'))
def test_ends_of_the_smoothing(shape):
    found = loss_of(shape, 0.4, 0.1, [90, 0, 1, 30]).smoothing()
    # A class without images is as one that is as rare as can be.
    expected = pytest.approx([0.4, 0.1, 0.1])
    assert found[:3].tolist() == expected
    assert 0.1 < float(found[3]) < 0.4
    balanced = loss_of(shape, 0.4, 0.1, [7, 7, 7]).smoothing()
    assert balanced.tolist() == pytest.approx([0.4] * 3)


@pytest.mark.parametrize(
    'options, told',
    [
        (dict(head=1.0, tail=0.1), 'head must be'),
        (dict(head=0.4, tail=-0.1), 'tail must be'),
        (dict(head=0.4, tail=0.1, shape='sine'), 'shape must be one of'),
    ],
)
def test_what_is_out_of_range_is_refused(options, told):
    with pytest.raises(ValueError, match=told):
        LabelAwareSmoothLoss(5, **options)
