"""Alpha x K of a class."""

import math

import pytest

from mmpaco.contrast_strength import class_strength


def test_it_is_alpha_times_the_positives():
    strength = class_strength(0.05, 0.01, 8191)
    assert strength.positives == pytest.approx(81.91)
    assert strength.alpha_k == pytest.approx(4.0955)
    assert strength.is_sane
    assert class_strength(0.05, 1, 10).positives == 10


@pytest.mark.parametrize('share', (-0.1, 36.9, 1280, math.nan, math.inf))
def test_percent_and_counts_are_no_shares(share):
    with pytest.raises(ValueError, match=r'in \[0, 1\].*divide its count'):
        class_strength(0.05, share, 8191)
