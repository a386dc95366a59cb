"""Tables of a grid, in Markdown."""

import statistics
from collections.abc import Sequence
from typing import Optional

from evidence_description import Record, Results
from evidence_experiment import setting_text
from evidence_record import last_validation

from mmpaco.comparison.runs import clock

GROUPS = ('all', 'many', 'medium', 'few')
NOT_RUN = 'not run yet'


def markdown(
    head: Sequence[str], rows: Sequence[Sequence[str]], num_texts: int = 1
) -> str:
    """Make a table.

    Args:
        head: Headings.
        rows: Cells.
        num_texts: Columns of texts, which come first.

    Returns:
        Its lines.
    """
    align = ['---'] * num_texts + ['---:'] * (len(head) - num_texts)
    return '\n'.join(
        '| ' + ' | '.join(line) + ' |' for line in (head, align, *rows)
    )


def _spread(values: Sequence[float]) -> str:
    text = f'{statistics.fmean(values):.2f}'
    if len(values) > 1:
        text += f' ± {statistics.stdev(values):.2f}'
    return text


def trials_table(results: Results) -> str:
    """Tell what each trial reached on the validation list.

    Args:
        results: What is known of the grid.

    Returns:
        A Markdown table.
    """
    rows = []
    for record in results.trials:
        reached = f'{last_validation(record):.2f}'
        if results.chosen[record['label']].setting == record['setting']:
            reached = f'**{reached}**'
        rows.append(
            [record['label'], setting_text(record['setting']), reached]
        )
    return markdown(['method', 'setting', 'validation, %'], rows, 2)


def methods_table(
    results: Results, methods: Sequence[str], seeds: Optional[int] = None
) -> str:
    """Compare methods by their test accuracy.

    Args:
        results: What is known of the grid.
        methods: Their labels.
        seeds: How many seeds of each are told of. Defaults to all.

    Returns:
        A Markdown table of means and sample standard deviations in %.
    """
    rows = []
    for label, found in results.of(methods).items():
        records = found[:seeds]
        if not records:
            rows.append([label, *['–'] * (len(GROUPS) + 2), NOT_RUN])
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
    return markdown(head, rows)


def _group(records: Sequence[Record], group: str) -> str:
    # A group without a class is left out, as few at imbalance 10.
    found = [r['test'][group] for r in records if group in r['test']]
    return _spread(found) if found else '–'


def _minutes(records: Sequence[Record]) -> float:
    seconds = clock(records)
    return statistics.fmean(record[seconds] for record in records) / 60


def adjusted_table(results: Results, methods: Sequence[str]) -> str:
    """Compare methods before and after the adjustment of their logits.

    Args:
        results: What is known of the grid.
        methods: Their labels; those without a figure are left out.

    Returns:
        A Markdown table of test accuracies in %, and of the strengths that
        validation chose.
    """
    rows = []
    for label, records in results.of(methods).items():
        found = [record for record in records if 'adjusted' in record]
        if found:
            strengths = [r['adjusted']['strength'] for r in found]
            rows.append(
                [
                    label,
                    _spread([record['test']['all'] for record in found]),
                    _spread([r['adjusted']['all'] for r in found]),
                    ', '.join(f'{s:g}' for s in strengths),
                ]
            )
    if not rows:
        return NOT_RUN.capitalize() + '.'
    return markdown(['method', 'as trained', 'adjusted', 'strength'], rows)


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


def steepness_table(results: Results, methods: Sequence[str]) -> str:
    """Compare how much more frequent classes pull than rare ones.

    Args:
        results: What is known of the grid.
        methods: Their labels; those without a figure are left out.

    Returns:
        A Markdown table of :func:`steepness`.
    """
    rows = []
    for label, records in results.of(methods).items():
        ratios = [steepness(record, results.counts) for record in records]
        found = [ratio for ratio in ratios if ratio is not None]
        if found:
            rows.append([label, _spread(found)])
    return markdown(['method', 'most frequent over rarest fifth'], rows)
