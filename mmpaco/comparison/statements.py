"""What a careful person would say of the figures of a comparison."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Optional

__all__ = [
    'Difference',
    'RULE',
    'caveats',
    'compare_methods',
    'difference',
    'figures_by_seed',
]

RULE = (
    'A difference exceeds the spread of the seeds if the mean of the '
    'differences seed by seed is more than twice their sample standard '
    'deviation. With three seeds that happens by chance about once in 14 '
    'differences of methods that are equal.'
)
_FACTOR = 2.0
# Two agree by chance too often: once in five differences of equal methods.
_FEWEST_SEEDS = 3

Record = Mapping[str, Any]
Figure = Callable[[Record], Optional[float]]


class Difference(NamedTuple):
    """How far one method is above another, seed by seed.

    Args:
        above (str): Label of the one.
        below (str): Label of the other.
        gaps (tuple[float, ...]): Its figure less that of the other, for each
            seed that both have.
    """

    above: str
    below: str
    gaps: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean of the gaps."""
        return statistics.fmean(self.gaps)

    @property
    def spread(self) -> Optional[float]:
        """Sample standard deviation of the gaps; None for one seed."""
        return statistics.stdev(self.gaps) if len(self.gaps) > 1 else None

    @property
    def exceeds(self) -> Optional[bool]:
        """Whether it exceeds the spread; None for one seed or two."""
        if self.spread is None or len(self.gaps) < _FEWEST_SEEDS:
            return None
        return abs(self.mean) > _FACTOR * self.spread

    def __str__(self) -> str:
        size = f'{abs(self.mean):.1f}'
        way = 'above' if self.mean >= 0 else 'below'
        text = f'{self.above} is {size} {way} {self.below}'
        if float(size) == 0:
            text = f'{self.above} is level with {self.below}'
        if self.spread is None:
            return f'{text} in one seed.'
        seeds = f'{len(self.gaps)} seeds'
        text += f' (paired over {seeds}: {self.mean:+.1f}±{self.spread:.1f})'
        if self.exceeds is None:
            return f'{text}; two seeds cannot tell whether that is chance.'
        if self.exceeds:
            return f'{text}, which exceeds the spread of the seeds.'
        return f'{text}, which does not exceed the spread of the seeds.'


def difference(
    above: Mapping[int, float],
    below: Mapping[int, float],
    labels: tuple[str, str],
) -> Optional[Difference]:
    """Compare the figures of two methods, seed by seed.

    Args:
        above: Figures of the one by seed.
        below: Figures of the other by seed.
        labels: Of both.

    Returns:
        Difference: The difference; None if they share no seed.
    """
    seeds = sorted(set(above) & set(below))
    if not seeds:
        return None
    return Difference(*labels, tuple(above[s] - below[s] for s in seeds))


def compare_methods(
    results: Mapping[str, Any], figure: Figure, name: str
) -> list[str]:
    """Say which differences exceed the spread of the seeds.

    Each method is compared with the reference, and the best with the next:
    all pairs of many methods would hold some large difference by chance.

    Args:
        results: From :func:`~mmpaco.comparison.results.summarise`.
        figure: What is compared of a run, None if it has none.
        name: What that is.

    Returns:
        list[str]: Sentences.
    """
    figures = {
        label: found
        for label, method in results['methods'].items()
        if (found := figures_by_seed(method['runs'], figure))
    }
    if len(figures) < 2:
        return [
            f'Fewer than two methods have a {name}, so there is nothing to '
            'compare.'
        ]
    said = [f'In points of {name}:']
    reference = results['reference']
    pairs = [(x, reference) for x in figures if x != reference]
    order = sorted(
        figures, key=lambda x: -statistics.fmean(figures[x].values())
    )
    # The best is compared with the reference already.
    if reference not in order[:2]:
        pairs.append((order[0], order[1]))
    for pair in pairs:
        gap = difference(
            figures.get(pair[0], {}), figures.get(pair[1], {}), pair
        )
        if gap is not None:
            said.append(f'- {gap}')
    return said


def figures_by_seed(
    runs: Sequence[Record], figure: Figure
) -> dict[int, float]:
    """Take a figure of each run.

    Args:
        runs: Records of runs of one method.
        figure: What is taken, None if a run has none.

    Returns:
        dict[int, float]: The figures by seed, of those that are finite.
    """
    found = {run['seed']: figure(run) for run in runs}
    return {
        seed: x
        for seed, x in found.items()
        if x is not None and math.isfinite(x)
    }


def caveats(results: Mapping[str, Any]) -> list[str]:
    """Say what so many seeds cannot show.

    Args:
        results: From :func:`~mmpaco.comparison.results.summarise`.

    Returns:
        list[str]: Sentences; none where there is nothing to compare.
    """
    runs = [len(x['runs']) for x in results['methods'].values() if x['runs']]
    if len(runs) < 2:
        return []
    seeds = max(runs)
    if seeds == 1:
        return [
            'One seed cannot show whether another would turn a difference '
            'round: nothing here says that one method is better than '
            'another. Use --seeds 3 or more.'
        ]
    if seeds < _FEWEST_SEEDS:
        rule = (
            'Two seeds may agree by chance, so nothing here says that one '
            'method is better than another. Use --seeds 3 or more.'
        )
    else:
        rule = RULE
    return [
        rule,
        'All seeds share one test set, and what another test set would give '
        'is not in this spread.',
    ]
