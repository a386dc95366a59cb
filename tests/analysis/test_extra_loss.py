"""L_extra against its formula and the papers' figures."""

import math

import numpy as np
import pytest

from mmpaco.analysis.extra_loss import (
    class_strengths,
    extra_loss,
    optimal_probability,
    plot_extra_loss,
)


def test_full_imagenet_is_pulled_to_the_published_probability():
    """Alpha 0.05, a share of 0.001 and 8192 in the queue: 0.71."""
    alpha_k = 0.05 * 0.001 * 8192
    assert alpha_k == pytest.approx(0.41, abs=5e-4)
    assert optimal_probability(0.41) == pytest.approx(0.7092, abs=5e-5)
    assert round(optimal_probability(alpha_k), 2) == 0.71


@pytest.mark.parametrize('alpha_k', (0.025, 0.41, 1.0, 33.0))
def test_the_minimum_is_a_minimum(alpha_k):
    best = optimal_probability(alpha_k)
    grid = np.linspace(0.001, 0.999, 99_801)
    losses = extra_loss(grid, alpha_k)
    assert grid[losses.argmin()] == pytest.approx(best, abs=2e-5)
    assert extra_loss(best, alpha_k) <= losses.min()
    expected = -math.log(0.3) - alpha_k * math.log(0.7)
    assert extra_loss(0.3, alpha_k) == pytest.approx(expected)


def test_without_contrast_it_is_cross_entropy():
    assert optimal_probability(0) == 1
    assert extra_loss(0.25, 0) == pytest.approx(math.log(4))


@pytest.mark.parametrize('probability', (0, 1, -0.1, math.nan, [0.5, 1.5]))
def test_what_is_no_probability_is_refused(probability):
    with pytest.raises(ValueError, match='between 0 and 1'):
        extra_loss(probability, 0.4)


@pytest.mark.parametrize('alpha_k', (-0.1, math.inf, math.nan))
def test_a_strength_must_be_finite_and_not_negative(alpha_k):
    with pytest.raises(ValueError, match='must be finite and not negative'):
        optimal_probability(alpha_k)
    with pytest.raises(ValueError, match='must be finite and not negative'):
        extra_loss(0.5, alpha_k)


def test_a_config_gives_the_positives_of_its_classes(mnist_config):
    cfg = mnist_config('gpaco/lenet5_mnist5k-lt.py')
    head, _, tail = class_strengths(cfg)
    assert (head.images, tail.images) == (400, 4)
    # 988 images; two views of 64, without the anchor itself, and no queue.
    assert head.positives == pytest.approx(400 / 988 * 127)
    assert tail.alpha_k == pytest.approx(0.01 * 4 / 988 * 127)
    cfg.model.head.queue_length = 100
    head = class_strengths(cfg)[0]
    assert head.positives == pytest.approx(400 / 988 * 227)
    with pytest.raises(ValueError, match='whose head is mmpaco.GPaCoHead'):
        class_strengths(
            mnist_config('baselines/cross-entropy_lenet5_mnist5k-lt.py')
        )


def test_the_picture_marks_the_minimum(drawn, tmp_path):
    plot_extra_loss({'K = 8.2': 0.41, 'none': 0.0}, tmp_path / 'x.png')
    curve, mark, _ = drawn[0].axes[0].lines
    x, y = curve.get_xdata(), curve.get_ydata()
    assert mark.get_xdata()[0] == pytest.approx(x[y.argmin()], abs=1e-3)
    assert curve.get_label() == 'K = 8.2, minimum at 0.71'
