"""LDAM's margins and loss, against its release."""

import pytest
import torch
from support.released_losses import (
    COUNTS,
    LABELS,
    SCORES,
    SMALL_COSINES,
    check,
)

from mmpaco.losses import LDAMLoss


def of_cosines(reweighting=False):
    """The loss of cosines, which a head would have scaled."""
    loss = LDAMLoss(5, class_counts=COUNTS)
    loss.set_reweighting(reweighting)
    return lambda cosines: loss(30 * cosines, LABELS, avg_factor=8)


RELEASED = {
    'sines': (
        *(SCORES / 4, False),
        *(26.85959397, 59.99637769, 14.97395996, -3.75),
    ),
    'sines, DRW': (
        *(SCORES / 4, True),
        *(19.08127949, 59.99875871, 28.75303991, -0.158088543),
    ),
    'small cosines': (
        *(SMALL_COSINES, False),
        *(10.15245005, 59.9733462, 13.61522911, -3.748999034),
    ),
    'small cosines, DRW': (
        *(SMALL_COSINES, True),
        *(13.82790738, 59.99682486, 26.53761038, -0.1580463453),
    ),
    'all alike': (
        *(torch.full_like(SCORES, 0.3), False),
        *(9.343115925, 59.94807235, 11.84828589, -3.739468633),
    ),
}


@pytest.mark.parametrize('case', RELEASED)
def test_loss_and_gradient_are_those_of_the_release(case):
    cosines, reweighting, *expected = RELEASED[case]
    check(of_cosines(reweighting), cosines, *expected)


def test_margins_are_those_of_the_release():
    found = LDAMLoss(5, class_counts=COUNTS).margins(torch.float64)
    expected = (0.1495348781, 0.2020515505, 0.2730120863, 0.3723909895, 0.5)
    assert found.tolist() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    'factor, expected',
    [
        (100, (0.15811388, 0.28405484, 0.5)),
        (50, (0.18803015, 0.30850182, 0.5)),
        (10, (0.28117066, 0.37621088, 0.5)),
    ],
)
def test_margins_of_long_tailed_cifar100(factor, expected):
    counts = [int(500 * factor ** (-i / 99)) for i in range(100)]
    loss = LDAMLoss(100, class_counts=counts)
    found = loss.margins(torch.float64)[[0, 50, 99]]
    assert found.tolist() == pytest.approx(expected, abs=1e-8)


def test_a_class_without_images_has_the_margin_of_the_rarest():
    loss = LDAMLoss(4, max_margin=0.4, class_counts=[1600, 0, 100, 1600])
    expected = pytest.approx([0.2, 0.4, 0.4, 0.2])
    assert loss.margins().tolist() == expected
    one = LDAMLoss(2, class_counts=[16, 1])
    assert one.margins().tolist() == pytest.approx([0.25, 0.5])


@pytest.mark.parametrize(
    'options', (dict(max_margin=-0.1), dict(scale=0.0), dict(scale=-30.0))
)
def test_what_is_out_of_range_is_refused(options):
    (name,) = options
    with pytest.raises(ValueError, match=name):
        LDAMLoss(5, **options)
