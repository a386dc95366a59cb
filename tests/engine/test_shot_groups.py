"""Shot groups against plain loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmpaco.engine import shot_accuracy


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 300), st.integers(0, 30), st.integers(0, 30)),
        min_size=1,
        max_size=20,
    )
)
def test_groups_are_means_over_their_classes(classes):
    counts, images, correct = np.array(classes).T
    correct = np.minimum(correct, images)
    groups = {'many': [], 'medium': [], 'few': [], 'all': []}
    for n, total, right in zip(counts, images, correct):
        if total == 0:
            continue
        name = 'many' if n > 100 else 'few' if n < 20 else 'medium'
        groups[name].append(100 * right / total)
        groups['all'].append(100 * right / total)
    got = shot_accuracy(correct, images, counts, 100, 20)
    assert set(got) == {name for name, values in groups.items() if values}
    for name, value in got.items():
        assert value == pytest.approx(np.mean(groups[name]))


@pytest.mark.parametrize(
    'count, group',
    ((101, 'many'), (100, 'medium'), (20, 'medium'), (19, 'few')),
)
def test_thresholds_are_the_papers(count, group):
    got = shot_accuracy(
        np.array([3]), np.array([4]), np.array([count]), 100, 20
    )
    assert got == {group: 75.0, 'all': 75.0}
