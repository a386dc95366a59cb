"""What is said of differences, on figures whose answer is known."""

import pytest

from mmpaco.comparison.statements import (
    RULE,
    caveats,
    compare_methods,
    difference,
)


def results_of(**figures):
    return {
        'reference': next(iter(figures)),
        'methods': {
            label: {
                'runs': [
                    {'seed': seed, 'x': value}
                    for seed, value in enumerate(values)
                ]
            }
            for label, values in figures.items()
        },
    }


def said_of(**figures):
    results = results_of(**figures)
    said = compare_methods(results, lambda run: run['x'], 'mIoU')
    return [*said, *caveats(results)]


def test_differences_are_paired_by_seed():
    """The seeds differ more than the methods, which they all agree on."""
    gap = difference({0: 51.0, 1: 71.2, 2: 90.9}, {2: 90, 1: 70, 0: 50}, 'ab')
    assert gap.mean == pytest.approx(1.0333, abs=1e-3)
    assert gap.exceeds
    gap = difference({0: 51.0, 1: 71.0, 2: 88.0}, {0: 50, 1: 70, 2: 90}, 'ab')
    assert gap.exceeds is False
    assert 'does not exceed' in str(gap)
    assert difference({0: 1.0}, {1: 1.0}, 'ab') is None


def test_the_rule_is_twice_the_sample_deviation():
    for spread, exceeds in ((0.49, True), (0.51, False)):
        # The sample standard deviation of 1 - s, 1, 1 + s is s.
        above = {0: 1 - spread, 1: 1.0, 2: 1 + spread}
        gap = difference(above, dict.fromkeys(range(3), 0.0), 'ab')
        assert gap.exceeds is exceeds
    assert 'twice their sample standard deviation' in RULE


def test_each_is_compared_with_the_first_and_the_best_with_the_next():
    said = said_of(ce=[50, 51, 52], a=[53, 54, 55], b=[60, 61, 62])
    text = '\n'.join(said)
    assert '- a is 3.0 above ce' in text
    assert '- b is 10.0 above ce' in text
    assert '- b is 7.0 above a' in text
    assert RULE in said


def test_one_seed_decides_nothing_and_two_little():
    (one,) = (x for x in said_of(ce=[50], a=[90]) if x.startswith('- '))
    assert one.endswith('in one seed.')
    assert RULE not in said_of(ce=[50], a=[90])
    assert any(
        x.startswith('Two seeds may agree by chance')
        for x in said_of(ce=[50, 51], a=[90, 91])
    )


def test_a_method_without_a_figure_is_left_out():
    assert len(said_of(ce=[50, 51], a=[])) == 1
    assert not any('nan' in x for x in said_of(ce=[50], a=[float('nan')]))


def test_two_seeds_exceed_nothing():
    gap = difference({0: 60.0, 1: 60}, {0: 50.0, 1: 50}, ('a', 'b'))
    assert gap.exceeds is None
    assert str(gap).endswith('two seeds cannot tell whether that is chance.')


def test_figures_that_agree_are_level():
    gap = difference({0: 50.04, 1: 50}, {0: 50.0, 1: 50}, ('a', 'b'))
    assert str(gap).startswith('a is level with b (paired over 2 seeds')
