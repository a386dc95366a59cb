"""How many images each class of a long-tailed set has."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mmpaco.cls.datasets.tail_counts import long_tailed_counts


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 5000),
    st.integers(1, 1000),
    st.sampled_from(['exp', 'step', 'pareto']),
    st.floats(1, 1000),
)
def test_counts_fall_from_the_largest_to_the_factor(
    largest, num_classes, profile, factor
):
    if largest / factor < 1:
        factor = largest
    counts = long_tailed_counts(largest, num_classes, profile, factor)
    assert len(counts) == num_classes
    assert counts[0] == largest
    assert (np.diff(counts) <= 0).all()
    if num_classes > 1:
        assert counts[-1] in (
            int(largest / factor),
            int(largest / factor + 1e-6),
        )


def test_exp_counts_are_those_of_cifar100_lt():
    """Recipes of both papers: totals at factors 100, 50 and 10."""
    totals = [
        long_tailed_counts(500, 100, 'exp', factor).sum()
        for factor in (100, 50, 10)
    ]
    assert totals == [10847, 12608, 19573]


def test_step_and_pareto_counts():
    step = long_tailed_counts(100, 5, 'step', 10)
    assert step.tolist() == [100, 100, 100, 10, 10]
    pareto = long_tailed_counts(1280, 1000, 'pareto', 256)
    rank = np.arange(1000) / 999
    expected = 1280 * (1 + rank * (256 ** (1 / 6) - 1)) ** -6.0
    np.testing.assert_allclose(pareto, expected, atol=1)
    assert pareto[-1] == 5
