"""Alpha x K of a class."""

import math
import re

import pytest
from support.released_settings import RUNS

from mmpaco.contrast_strength import IMAGES, class_strength

# Share of the most frequent class in the training images.
SHARES = {
    'cifar100-lt-if100': 500 / 10_847,
    'cifar100-lt-if50': 500 / 12_608,
    'cifar100-lt-if10': 500 / 19_573,
    'cifar100': 1 / 100,
    'imagenet-lt': 1280 / 115_846,
    'places-lt': 4980 / 62_500,
    'inaturalist2018': 1000 / 437_513,
    'imagenet': 1 / 1000,
}
# As strength.md says.
UNUSUAL = {
    'gpaco/resnet50_cifar100': 0.13,
    'paco/resnet50_cifar100': 0.12,
    'gpaco/resnet152_places-lt': 13,
    'paco/resnet152_places-lt': 33,
}


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


@pytest.mark.parametrize('name', RUNS)
def test_the_usual_strength_is_that_of_the_papers_runs(name):
    run = RUNS[name]
    data = re.sub('_sim$', '', name).split('_', 1)[1]
    rows = run.queue + 2 * run.batch // run.gpus - 1
    found = class_strength(run.alpha, SHARES[data], rows).alpha_k
    if name in UNUSUAL:
        assert float(f'{found:.2g}') == UNUSUAL[name]
    else:
        low, high = IMAGES.papers
        assert low <= float(f'{found:.2g}') <= high
