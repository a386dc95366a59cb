"""Tables, claims and pictures of the grid of :mod:`evidence_grid`."""

import re
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

from evidence_grid import Experiment, setting_text
from evidence_record import last_validation

from mmpaco.comparison.runs import clock
from mmpaco.files import PathLike, write_text

Record = Mapping[str, Any]
Figure = Callable[[Record], Optional[float]]
GROUPS = ('all', 'many', 'medium', 'few')
_NOT_RUN = 'not run yet'


def _markdown(
    head: Sequence[str], rows: Sequence[Sequence[str]], num_texts: int = 1
) -> str:
    align = ['---'] * num_texts + ['---:'] * (len(head) - num_texts)
    return '\n'.join(
        '| ' + ' | '.join(line) + ' |' for line in (head, align, *rows)
    )


def _spread(values: Sequence[float]) -> str:
    text = f'{statistics.fmean(values):.2f}'
    if len(values) > 1:
        text += f' ± {statistics.stdev(values):.2f}'
    return text


def by_label(records: Iterable[Record]) -> dict[str, list[Record]]:
    """Group records by the label of their method, in order."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record['label'], []).append(record)
    return groups


def trials_table(
    trials: Sequence[Record], chosen: Mapping[str, Experiment]
) -> str:
    """Tell what each trial reached on the validation list.

    Args:
        trials: Records of the trials.
        chosen: The chosen trial of each label.

    Returns:
        A Markdown table.
    """
    rows = []
    for record in trials:
        reached = f'{last_validation(record):.2f}'
        if chosen[record['label']].setting == record['setting']:
            reached = f'**{reached}**'
        rows.append(
            [record['label'], setting_text(record['setting']), reached]
        )
    return _markdown(['method', 'setting', 'validation, %'], rows, 2)


def methods_table(methods: Mapping[str, Sequence[Record]]) -> str:
    """Compare methods by their test accuracy.

    Args:
        methods: Records of the seeds of each method; one without records
            has not been run yet.

    Returns:
        A Markdown table of means and sample standard deviations in %.
    """
    rows = []
    for label, records in methods.items():
        if not records:
            rows.append([label, *['–'] * (len(GROUPS) + 2), _NOT_RUN])
            continue
        strengths = [r['alpha_k'] for r in records if 'alpha_k' in r]
        rows.append(
            [
                label,
                *(_group(records, group) for group in GROUPS),
                f'{strengths[0]:.2g}' if strengths else '–',
                str(len(records)),
                f'{_minutes(records):.0f}',
            ]
        )
    head = ['method', *GROUPS, 'alpha x K', 'seeds', 'minutes']
    return _markdown(head, rows)


def overview(
    methods: Mapping[str, Sequence[Record]], reference: str
) -> dict[str, Any]:
    """Give what a picture of all methods shows.

    Args:
        methods: Records of the seeds of each method; one without records is
            left out.
        reference: Label of the method that the others are compared with.

    Returns:
        Results, as a comparison has them, without times: the machine was
        not as busy with each.
    """
    return {
        'reference': reference,
        'methods': {
            label: {
                'runs': [{'metrics': record['test']} for record in records],
                'time_ratio': None,
            }
            for label, records in methods.items()
            if records
        },
    }


def _group(records: Sequence[Record], group: str) -> str:
    # A group without a class is left out, as few at imbalance 10.
    found = [r['test'][group] for r in records if group in r['test']]
    return _spread(found) if found else '–'


def _minutes(records: Sequence[Record]) -> float:
    seconds = clock(records)
    return statistics.fmean(record[seconds] for record in records) / 60


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


def accuracy(record: Record) -> float:
    """Balanced test accuracy in %."""
    return float(record['test']['all'])


def adjusted_accuracy(record: Record) -> Optional[float]:
    """Balanced test accuracy in % of the adjusted logits, if recorded."""
    adjusted = record.get('adjusted')
    return float(adjusted['all']) if adjusted else None


def judge(
    above: Sequence[Record],
    below: Sequence[Record],
    figure: Figure = accuracy,
) -> str:
    """Say whether one method is above another, seed by seed.

    Args:
        above: Records of what should be above.
        below: Records of what should be below.
        figure: What is compared.

    Returns:
        The mean difference over the seeds that both have, and 'holds' or
        'does not hold' where all of them agree.
    """
    pairs = _by_seed(above, figure), _by_seed(below, figure)
    seeds = sorted(set(pairs[0]) & set(pairs[1]))
    if not seeds:
        return _NOT_RUN
    gaps = [pairs[0][s] - pairs[1][s] for s in seeds]
    if all(gap > 0 for gap in gaps):
        verdict = 'holds'
    elif all(gap <= 0 for gap in gaps):
        verdict = 'does not hold'
    else:
        verdict = 'seeds disagree'
    size = f'{statistics.fmean(gaps):+.2f}'
    if len(gaps) > 1:
        size += f' ± {statistics.stdev(gaps):.2f}'
    num = f'{len(gaps)} seeds' if len(gaps) > 1 else 'one seed'
    return f'{verdict}: {size} ({num})'


def _by_seed(records: Sequence[Record], figure: Figure) -> dict[int, float]:
    figures = {record['seed']: figure(record) for record in records}
    return {seed: x for seed, x in figures.items() if x is not None}


def steepness(record: Record, counts: Sequence[int]) -> Optional[float]:
    """Divide the gradient norm of frequent classes by that of rare ones.

    Args:
        record: A record.
        counts: Training images of each class.

    Returns:
        Mean norm of the most frequent fifth of the classes over that of the
        rarest fifth; None if the record has no norms.
    """
    norms = record.get('gradient_norm')
    if not norms:
        return None
    order = sorted(range(len(counts)), key=lambda c: -counts[c])
    ranked = [norms[c] for c in order]
    fifth = max(len(ranked) // 5, 1)
    return sum(ranked[:fifth]) / sum(ranked[-fifth:])


def adjusted_table(methods: Mapping[str, Sequence[Record]]) -> str:
    """Compare methods before and after the adjustment of their logits.

    Args:
        methods: Records of the seeds of each method.

    Returns:
        A Markdown table of test accuracies in %, and of the strengths that
        validation chose.
    """
    rows = []
    for label, records in methods.items():
        found = [record for record in records if 'adjusted' in record]
        if found:
            strengths = [r['adjusted']['strength'] for r in found]
            rows.append(
                [
                    label,
                    _spread([accuracy(record) for record in found]),
                    _spread([r['adjusted']['all'] for r in found]),
                    ', '.join(f'{s:g}' for s in strengths),
                ]
            )
    return _markdown(['method', 'as trained', 'adjusted', 'strength'], rows)


def claims_table(
    claims: Sequence[Claim],
    records: Mapping[str, Sequence[Record]],
    name: str = 'balanced test accuracy, points',
    figure: Figure = accuracy,
) -> str:
    """Say of each claim whether it holds here.

    Args:
        claims: The claims.
        records: Records by label.
        name: What the differences are of.
        figure: What is compared.

    Returns:
        A Markdown table.
    """
    rows = [
        [
            claim.text,
            judge(
                records.get(claim.above, ()),
                records.get(claim.below, ()),
                figure,
            ),
        ]
        for claim in claims
    ]
    return _markdown(['claim', name], rows, 2)


def steepness_table(
    methods: Mapping[str, Sequence[Record]], counts: Sequence[int]
) -> str:
    """Compare how much more frequent classes pull than rare ones.

    Args:
        methods: Records of each method.
        counts: Training images of each class.

    Returns:
        A Markdown table of :func:`steepness`.
    """
    rows = []
    for label, records in methods.items():
        ratios = [steepness(record, counts) for record in records]
        found = [ratio for ratio in ratios if ratio is not None]
        if found:
            rows.append([label, _spread(found)])
    return _markdown(['method', 'most frequent over rarest fifth'], rows)


def fill(path: PathLike, blocks: Mapping[str, str]) -> None:
    """Put generated text between the marks of a page.

    Args:
        path: A page with ``<!-- NAME -->`` and ``<!-- /NAME -->``.
        blocks: Text by name.

    Raises:
        ValueError: If the page lacks a mark.
    """
    page = Path(path).read_text(encoding='utf-8')
    for name, text in blocks.items():
        marks = re.compile(
            rf'(<!-- {name} -->\n).*?(<!-- /{name} -->)', re.DOTALL
        )
        if not marks.search(page):
            raise ValueError(
                f'{path} has no marks <!-- {name} --> and <!-- /{name} -->, '
                'between which a table goes'
            )
        page = marks.sub(lambda m, t=text: f'{m[1]}\n{t}\n\n{m[2]}', page)
    write_text(path, page)
