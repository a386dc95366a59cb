"""What is drawn of many classes."""

import numpy as np
import pytest

from mmpaco.analysis.pictures import plot_class_values, smooth


def test_of_a_thousand_classes_neighbours_are_averaged(drawn, tmp_path):
    counts = np.random.default_rng(0).permutation(1000) + 1
    plot_class_values({'a': [(counts, counts / 10)]}, tmp_path / 'x.png')
    ax = drawn[0].axes[0]
    x, y = ax.lines[0].get_data()
    # The value is a tenth of the count, and so is the mean of forty.
    np.testing.assert_allclose(x, np.arange(980.5, 0, -40))
    np.testing.assert_allclose(y, x / 10)
    assert 'mean of 40 classes' in ax.get_ylabel()


def test_neighbours_are_averaged_to_the_very_ends():
    np.testing.assert_allclose(smooth(np.ones(100)), 1)
    np.testing.assert_array_equal(smooth(np.arange(10.0)), np.arange(10.0))
    ramp = np.arange(100.0)
    np.testing.assert_allclose(smooth(ramp)[2:-2], ramp[2:-2])
    assert smooth(ramp)[0] == 1


@pytest.mark.parametrize(
    'counts', ([3, 2], [3.0, np.nan, 1.0], [3, -2, 1], [0, 0, 0])
)
def test_what_is_no_count_is_not_drawn(counts, tmp_path):
    with pytest.raises(ValueError, match='class counts'):
        plot_class_values({'a': [(counts, [1, 2, 3])]}, tmp_path / 'x.png')
