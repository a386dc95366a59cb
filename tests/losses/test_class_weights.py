"""Weights by the effective number of images."""

import math

import numpy as np
import pytest
import torch
from support.released_losses import COUNTS

from mmpaco.losses import effective_number_weights

RELEASED = {
    0.9: (0.6889477023, 0.6889477966, 0.695013757, 0.9237534301, 2.003337314),
    0.99: (0.1304494927, 0.1664538874, 0.3562045262, 1.058078535, 3.288813558),
    0.999: (
        *(0.035266094, 0.09961118028, 0.3153158236, 1.074227725),
        3.475579177,
    ),
    0.9999: (
        *(0.02863213518, 0.09379358121, 0.311010756, 1.074855295),
        3.491708232,
    ),
}


def paper_weights(counts, beta=0.9999):
    return effective_number_weights(
        torch.as_tensor(counts), torch.float64, beta, 'mean_weight'
    )


@pytest.mark.parametrize('beta', RELEASED)
def test_weights_are_those_of_the_releases(beta):
    found = paper_weights(COUNTS, beta)
    assert found.tolist() == pytest.approx(RELEASED[beta], rel=1e-9)
    assert float(found.sum()) == pytest.approx(len(COUNTS))


@pytest.mark.parametrize(
    'factor, expected',
    [
        (100, (0.04487566, 0.45705545, 4.37831256)),
        (50, (0.07888914, 0.55952955, 3.84938837)),
        (10, (0.25818521, 0.81348090, 2.52466657)),
    ],
)
def test_weights_of_long_tailed_cifar100(factor, expected):
    counts = [int(500 * factor ** (-i / 99)) for i in range(100)]
    found = paper_weights(counts)[[0, 50, 99]]
    assert found.tolist() == pytest.approx(expected, abs=1e-8)


def test_two_units_have_the_same_ratios():
    """One is the mean number over that of the class, by NumPy."""
    counts = np.array(COUNTS, dtype=np.float64)
    number = (1 - 0.999**counts) / (1 - 0.999)
    found = effective_number_weights(torch.tensor(COUNTS), torch.float64)
    np.testing.assert_allclose(found, number.mean() / number, rtol=1e-12)
    ratio = found / paper_weights(COUNTS, 0.999)
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-12)


@pytest.mark.parametrize('unit', ('mean_number', 'mean_weight'))
def test_without_a_base_all_weights_are_one(unit):
    found = effective_number_weights(
        torch.tensor([7, 0, 2]), beta=0, unit=unit
    )
    assert found.tolist() == [1, 1, 1]


@pytest.mark.parametrize('beta', (0.9, 0.9999, 1 - 1e-7))
def test_a_class_without_images_has_the_weight_of_one_image(beta):
    found = paper_weights([100, 1, 0], beta)
    assert found.isfinite().all()
    assert float(found[1]) == pytest.approx(float(found[2]), rel=1e-6)


@pytest.mark.parametrize('beta', (-0.1, 1.0, math.nan, math.inf))
def test_a_base_out_of_range_is_refused(beta):
    with pytest.raises(ValueError, match=r'beta .* in \[0, 1\)'):
        paper_weights(COUNTS, beta)
    with pytest.raises(ValueError, match='unit must be'):
        effective_number_weights(torch.tensor(COUNTS), unit='sum')
