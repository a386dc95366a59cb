"""What is drawn of many classes."""

import numpy as np
import pytest

from mmpaco.analysis.class_values_picture import plot_class_values
from mmpaco.analysis.pictures import (
    blank_figure,
    save,
    smooth,
)


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


@pytest.mark.parametrize(
    'name, start',
    [('a.png', b'\x89PNG'), ('b.JPG', b'\xff\xd8'), ('c.svg', b'<?xml')],
)
def test_the_suffix_says_what_is_written(tmp_path, name, start):
    path = tmp_path / 'new' / name
    save(blank_figure(1, 1), path)
    assert path.read_bytes().startswith(start)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize('name', ['a.xyz', 'a', 'a.png.pkl'])
def test_another_suffix_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match=f'but got .*{name}'):
        save(blank_figure(1, 1), tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('bounds', [(100, 20), (-1, 5)])
def test_bounds_out_of_order_are_refused(tmp_path, bounds):
    with pytest.raises(ValueError, match='0 <= few <= many'):
        plot_class_values(
            {'a': [([1, 2], [3, 4])]}, tmp_path / 'x.png', bounds
        )


def test_of_many_methods_each_has_a_panel_before_the_first(drawn, tmp_path):
    counts = [30, 3, 300]
    values = {f'method {i}': [50.0 + i, 10.0, 90.0] for i in range(7)}
    plot_class_values(
        {label: [(counts, value)] for label, value in values.items()},
        tmp_path / 'x.png',
        (10, 100),
    )
    axes = [ax for ax in drawn[0].axes if ax.get_visible()]
    assert [ax.get_title() for ax in axes] == list(values)[1:]
    for i, ax in enumerate(axes, 1):
        (behind, line) = (x.get_data() for x in ax.lines[:2])
        np.testing.assert_allclose(behind, [[300, 30, 3], [90, 50, 10]])
        np.testing.assert_allclose(line, [[300, 30, 3], [90, 50 + i, 10]])
    assert drawn[0].get_supxlabel() == (
        'training images of the class (few < 10, many > 100); grey: method 0 '
        '(one seed)'
    )


def test_five_methods_share_a_panel_and_classes_with_names_too(
    drawn, tmp_path
):
    for num, names in ((5, ()), (7, ('a', 'b', 'c'))):
        group = [([30, 3, 300], [50.0, 10.0, 90.0])]
        methods = {f'method {i}': group for i in range(num)}
        plot_class_values(methods, tmp_path / 'x.png', names=names)
        assert len(drawn[-1].axes) == 1
        # Nothing lies between two names.
        assert bool(drawn[-1].axes[0].patches) == bool(names)
    assert drawn[0].axes[0].get_xscale() == 'log'


def test_seeds_are_told_and_few_images_are_not_on_powers_of_ten(
    drawn, tmp_path
):
    group = [([12, 3, 0], [50.0, 10.0, 0.0])]
    plot_class_values({'a': group, 'b': 3 * group}, tmp_path / 'x.png')
    plot_class_values({'a': group}, tmp_path / 'x.png')
    told = [figure.axes[0].get_ylabel() for figure in drawn]
    assert 'mean ± s.d., up to 3 seeds' in told[0]
    assert 'one seed' in told[1]
    assert {figure.axes[0].get_xscale() for figure in drawn} == {'linear'}


@pytest.mark.parametrize('number', (2, 7))
def test_a_class_without_images_is_drawn_beside_those_of_many(
    drawn, tmp_path, number
):
    group = [([500, 50, 0, 5], [50.0, 40.0, 30.0, 20.0])]
    methods = {f'method {i}': group for i in range(number)}
    plot_class_values(methods, tmp_path / 'a.png', (20, 100))
    (figure,) = drawn
    for ax in filter(lambda ax: ax.get_visible(), figure.axes):
        places = ax.transData.transform([(x, 30) for x in (0, 1, 5, 500)])
        assert (np.diff(places[:, 0]) > 0).all()
        assert ax.get_xlim()[0] < 0


def test_long_names_stay_apart(drawn, tmp_path):
    group = [([500, 50, 5], [50.0, 40.0, 30.0])]
    name = 'a method whose name is longer than its panel {}'
    methods = {name.format(i): group for i in range(7)}
    plot_class_values(methods, tmp_path / 'a.png')
    (figure,) = drawn
    titles = [ax.title.get_window_extent() for ax in figure.axes[:3]]
    assert titles[0].x1 < titles[1].x0 and titles[1].x1 < titles[2].x0


def test_a_long_name_is_inside_of_the_picture(drawn, tmp_path):
    plot_class_values(
        {12 * 'long name ': [([5, 4], [1.0, 2.0])]}, tmp_path / 'a.png'
    )
    (figure,) = drawn
    (box,) = (x.get_window_extent() for x in figure.legends)
    assert box.x0 >= 0 and box.x1 <= figure.bbox.width
