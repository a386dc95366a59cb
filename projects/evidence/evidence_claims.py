"""What the seeds of a grid say of claims."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, Optional

from evidence_description import Record, Results
from evidence_tables import NOT_RUN, markdown, steepness

from mmpaco.comparison.statements import difference, figures_by_seed


class Claim(NamedTuple):
    """A claim that a figure of one method is above that of another.

    Args:
        text: The claim.
        above: Label of what should be above.
        below: Label of what should be below.
    """

    text: str
    above: str
    below: str


class Measure(NamedTuple):
    """What a claim is about.

    Args:
        name: What the differences are of.
        figure: Gives it of a record and the training images of each class;
            None if the record has none.
    """

    name: str
    figure: Callable[[Record, Sequence[int]], Optional[float]]


def _accuracy(record: Record, counts: Sequence[int]) -> float:
    return float(record['test']['all'])


def _adjusted(record: Record, counts: Sequence[int]) -> Optional[float]:
    adjusted = record.get('adjusted')
    return float(adjusted['all']) if adjusted else None


ACCURACY = Measure('balanced test accuracy, points', _accuracy)
ADJUSTED = Measure('adjusted test accuracy, points', _adjusted)
STEEPNESS = Measure('difference of these ratios', steepness)


def claims_table(
    results: Results, claims: Sequence[Claim], measure: Measure = ACCURACY
) -> str:
    """Say of each claim whether it holds here.

    Args:
        results: What is known of the grid.
        claims: The claims.
        measure: What they are about.

    Returns:
        A Markdown table.
    """
    figure = partial(measure.figure, counts=results.counts)
    rows = []
    for claim in claims:
        above, below = results.of([claim.above, claim.below]).values()
        verdict, size = judge(above, below, figure)
        rows.append([claim.text, verdict, size])
    return markdown(['claim', 'verdict', measure.name], rows, 3)


def judge(
    above: Sequence[Record],
    below: Sequence[Record],
    figure: Callable[[Record], Optional[float]],
) -> tuple[str, str]:
    """Say whether one method is above another.

    Args:
        above: Records of what should be above.
        below: Records of what should be below.
        figure: What is compared.

    Returns:
        'holds' or 'does not hold' if the difference exceeds the spread of the
        seeds, 'not decided' if it does not or the seeds are too few; and the
        difference.
    """
    gap = difference(
        figures_by_seed(above, figure),
        figures_by_seed(below, figure),
        ('', ''),
    )
    if gap is None:
        return NOT_RUN, '–'
    verdict = 'not decided'
    if gap.exceeds:
        verdict = 'holds' if gap.mean > 0 else 'does not hold'
    size = f'{gap.mean:+.2f}'
    if gap.spread is None:
        return verdict, f'{size} (one seed)'
    return verdict, f'{size} ± {gap.spread:.2f} ({len(gap.gaps)} seeds)'
