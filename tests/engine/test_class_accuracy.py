"""Shot groups against plain loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmpaco.engine.class_accuracy import (
    ClassCounts,
    count_predictions,
    shot_accuracy,
)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), max_size=50))
def test_predictions_are_counted_as_in_a_loop(pairs):
    """A prediction may be of a class that no image has."""
    labels, predicted = np.array(pairs, dtype=int).reshape(-1, 2).T
    counts = count_predictions(labels, predicted, 5)
    for c in range(5):
        mine = [p == c for label, p in pairs if label == c]
        assert counts.total[c] == len(mine)
        assert counts.correct[c] == sum(mine)
        if mine:
            assert counts.accuracy[c] == pytest.approx(100 * np.mean(mine))
        else:
            assert np.isnan(counts.accuracy[c])


@pytest.mark.parametrize('label', (-1, 3))
def test_a_label_that_is_no_class_is_refused(label):
    labels = np.array([0, label])
    with pytest.raises(ValueError, match=r'\[0, 3\), .* training set'):
        count_predictions(labels, labels, 3)


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
    # A training set without an image is refused.
    counts[0] += not counts.any()
    correct = np.minimum(correct, images)
    groups = {'many': [], 'medium': [], 'few': [], 'all': []}
    for n, total, right in zip(counts, images, correct):
        if total == 0:
            continue
        name = 'many' if n > 100 else 'few' if n < 20 else 'medium'
        groups[name].append(100 * right / total)
        groups['all'].append(100 * right / total)
    got = shot_accuracy(ClassCounts(correct, images), counts, 100, 20)
    assert set(got) == {name for name, values in groups.items() if values}
    for name, value in got.items():
        assert value == pytest.approx(np.mean(groups[name]))


@pytest.mark.parametrize(
    'count, group',
    ((101, 'many'), (100, 'medium'), (20, 'medium'), (19, 'few')),
)
def test_thresholds_are_the_papers(count, group):
    counted = ClassCounts(np.array([3]), np.array([4]))
    got = shot_accuracy(counted, np.array([count]), 100, 20)
    assert got == {group: 75.0, 'all': 75.0}


@pytest.mark.parametrize(
    'counts, message',
    (
        ([5, 5], 'expected 1 class counts'),
        ([np.nan], 'finite'),
        ([-1], 'negative'),
        ([0], 'all class counts are zero'),
    ),
)
def test_what_is_no_count_is_refused(counts, message):
    counted = ClassCounts(np.array([3]), np.array([4]))
    with pytest.raises(ValueError, match=message):
        shot_accuracy(counted, np.array(counts), 100, 20)
