"""Tables of a comparison, for a terminal and for a page."""

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from mmpaco.files import PathLike, write_text

if TYPE_CHECKING:
    from rich.table import Table

_COSTS = ('time', 'ratio', 'memory')
_ROUGH_SECONDS = 60


def _rows(
    results: Mapping[str, Any], columns: Mapping[str, str]
) -> list[list[str]]:
    methods = results['methods']
    known = {key for method in methods.values() for key in method['mean']}
    if known and not known >= {*columns.values()}:
        missing = next(x for x in columns.values() if x not in known)
        raise ValueError(
            f'No method has a metric {missing!r}; there are {sorted(known)}.'
        )
    rows = []
    for label, method in methods.items():
        seconds = method['seconds']
        rows.append(
            [
                _name(label, method),
                *(_cell(method, key) for key in columns.values()),
                _duration(seconds),
                _ratio(method['time_ratio']),
                _ratio(method['memory_ratio']),
            ]
        )
    return rows


def _name(label: str, method: Mapping[str, Any]) -> str:
    if not method['failures']:
        return label
    return f'{label} (FAILED{" in part" if method["runs"] else ""})'


def _cell(method: Mapping[str, Any], key: str) -> str:
    # A group without classes has no accuracy, nor has a method that failed.
    if key not in method['mean']:
        return '–'
    spread = method['std'][key]
    return _figure(method['mean'][key], spread)


def _figure(mean: float, spread: Optional[float]) -> str:
    return f'{mean:.1f}' + ('' if spread is None else f'±{spread:.1f}')


def mean_and_spread(values: Sequence[float]) -> str:
    """Write values as tables have them.

    Args:
        values: One for each seed.

    Returns:
        Their mean and, of several, their sample standard deviation.
    """
    spread = statistics.stdev(values) if len(values) > 1 else None
    return _figure(statistics.fmean(values), spread)


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Make a table for a page, with a first column of texts.

    Args:
        head: Headings.
        rows: Cells.

    Returns:
        Its lines.
    """
    align = ['---'] + ['---:'] * (len(head) - 1)
    return '\n'.join(
        '| ' + ' | '.join(line) + ' |' for line in (head, align, *rows)
    )


def _duration(seconds: Optional[float]) -> str:
    if seconds is None:
        return '–'
    if seconds < 10:
        return f'{seconds:.1f} s'
    return f'{seconds:.0f} s' if seconds < 7200 else f'{seconds / 3600:.1f} h'


def _ratio(value: Optional[float]) -> str:
    return '–' if value is None else f'{value:.2f}'


def _note(results: Mapping[str, Any]) -> str:
    methods = results['methods']
    reference = results['reference']
    seeds = max(len(m['runs']) for m in methods.values())
    values = (
        f'Mean±sample standard deviation of {seeds} seeds.'
        if seeds > 1
        else 'One seed.'
    )
    unit = 'processor seconds' if results['clock'] != 'seconds' else 'seconds'
    note = (
        f'{values} Time: {unit} in training iterations; ratio to {reference}.'
    )
    times = [m['seconds'] for m in methods.values() if m['seconds']]
    if times and min(times) < _ROUGH_SECONDS:
        note += ' Of less than a minute, times and ratios are rough.'
    memory = methods[reference]['memory']
    if memory is not None:
        note += f' Peak memory: ratio to that of {reference}, {memory:.0f} MB.'
    for label, method in methods.items():
        for failure in method['failures']:
            note += f'\n{label} failed: {failure}'
    return note


def table(
    results: Mapping[str, Any],
    columns: Mapping[str, str],
    title: str,
    costs: bool = True,
) -> 'Table':
    """Make a table for a terminal of 80 columns.

    Args:
        results: From :func:`~mmpaco.comparison.results.summarise`.
        columns: Metric key of every column, by the column's heading.
        title: What the numbers are, with their unit.
        costs: Whether to add time and memory, and what is to be said of
            them and of what failed. Defaults to True.

    Returns:
        A table to be printed by rich.
    """
    from rich import box
    from rich.table import Table

    out = Table(
        title=title,
        caption=_note(results) if costs else None,
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 0, 0, 1),
        title_justify='left',
        caption_justify='left',
    )
    out.add_column('method', no_wrap=True)
    shown = [*columns, *(_COSTS if costs else ())]
    for heading in shown:
        # Names of metrics may be long, and break; those of groups are not.
        out.add_column(heading, justify='right', no_wrap=costs)
    for row in _rows(results, columns):
        out.add_row(*row[: len(shown) + 1])
    return out


def markdown(
    results: Mapping[str, Any], columns: Mapping[str, str], title: str
) -> str:
    """Make the table of :func:`table` for the documentation."""
    head = ['method', *columns, *_COSTS]
    body = markdown_table(head, _rows(results, columns))
    note = _note(results).replace('\n', '\n\n')
    return f'{title}\n\n{body}\n\n{note}\n'


def write_report(
    results: Mapping[str, Any],
    columns: Mapping[str, str],
    title: str,
    work_dir: PathLike,
    sentences: Sequence[str] = (),
) -> None:
    """Write ``results.json`` and ``results.md``.

    Args:
        results: From :func:`~mmpaco.comparison.results.summarise`.
        columns: As for :func:`table`.
        title: As for :func:`table`.
        work_dir: Directory of the comparison.
        sentences: What is said of it below the table. Defaults to none.
    """
    out = Path(work_dir)
    said = ''.join(
        f'\n{line}' if line.startswith('- ') else f'\n\n{line}'
        for line in sentences
    )
    write_text(out / 'results.json', json.dumps(results, indent=2))
    page = markdown(results, columns, title)
    write_text(out / 'results.md', page + (said and f'{said[1:]}\n'))
