"""The figures of a comparison, and tables of them."""

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Any,
    Optional,
)

from mmpaco.files import PathLike, write_text

from .runs import Run, clock

if TYPE_CHECKING:
    from rich.table import Table


def by_method(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Group runs by the label of their method, in order."""
    methods: dict[str, list[Run]] = {}
    for run in runs:
        methods.setdefault(run.label, []).append(run)
    return methods


def _spread(values: Sequence[float]) -> Optional[float]:
    return statistics.stdev(values) if len(values) > 1 else None


def summarise(
    runs: Sequence[Run], reference: str, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Gather the results of finished runs.

    Args:
        runs: Finished runs.
        reference: Label of the method that times are divided by.
        settings: Whatever a reader must know besides, such as the bounds
            of groups of classes.

    Returns:
        For every method its runs, and over its seeds the mean and the
        sample standard deviation (None for one seed) of every scalar
        metric, mean training time and its ratio to the reference. The time is
        ``cpu_seconds`` if all runs have it, else ``seconds``.

    Raises:
        ValueError: If there is no such reference.
        RuntimeError: If a run is not finished.
    """
    methods = by_method(runs)
    if reference not in methods:
        raise ValueError(
            f'reference must be one of {list(methods)}, but got {reference!r}'
        )
    for run in runs:
        if not run.finished:
            raise RuntimeError(f'{run} is not finished; call run_all first.')
    unit = clock(run.record for run in runs)
    results: dict[str, Any] = {
        'clock': unit,
        'settings': dict(settings),
        'reference': reference,
        'methods': {},
    }
    for label, group in methods.items():
        metrics = [run.metrics for run in group]
        seconds = [float(run.record[unit]) for run in group]
        scalars = {
            key: [float(m[key]) for m in metrics]
            for key, value in metrics[0].items()
            if isinstance(value, (int, float))
            and all(key in m for m in metrics)
        }
        results['methods'][label] = {
            'config': str(group[0].config),
            'runs': [
                {**run.record, 'metrics': m} for run, m in zip(group, metrics)
            ],
            'mean': {k: statistics.fmean(v) for k, v in scalars.items()},
            'std': {k: _spread(v) for k, v in scalars.items()},
            'seconds': statistics.fmean(seconds),
        }
    base = results['methods'][reference]['seconds']
    for method in results['methods'].values():
        method['time_ratio'] = method['seconds'] / base
    return results


def _rows(
    results: Mapping[str, Any], columns: Mapping[str, str]
) -> list[list[str]]:
    methods = results['methods']
    rows = []
    for label, method in methods.items():
        row = [label]
        for key in columns.values():
            if not any(key in m['mean'] for m in methods.values()):
                raise ValueError(
                    f'No method has a metric {key!r}; {label} has '
                    f'{list(method["mean"])}.'
                )
            # A group without classes has no accuracy.
            cell = '–'
            if key in method['mean']:
                cell = f'{method["mean"][key]:.1f}'
                if method['std'][key] is not None:
                    cell += f'±{method["std"][key]:.1f}'
            row.append(cell)
        seconds, ratio = method['seconds'], method['time_ratio']
        rows.append(row + [f'{seconds:.0f} s', f'{ratio:.2f}'])
    return rows


def _note(results: Mapping[str, Any]) -> str:
    seeds = max(len(m['runs']) for m in results['methods'].values())
    values = (
        'One seed.'
        if seeds == 1
        else f'Mean±sample standard deviation of {seeds} seeds.'
    )
    unit = 'processor seconds' if results['clock'] != 'seconds' else 'seconds'
    return (
        f'{values} Time: {unit} in training iterations; ratio to '
        f'{results["reference"]}.'
    )


def table(
    results: Mapping[str, Any], columns: Mapping[str, str], title: str
) -> 'Table':
    """Make a table for a terminal of 80 columns.

    Args:
        results: From :func:`summarise`.
        columns: Metric key of every column, by the column's heading.
        title: What the numbers are, with their unit.

    Returns:
        A table to be printed by rich.
    """
    from rich import box
    from rich.table import Table

    out = Table(
        title=title,
        caption=_note(results),
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        title_justify='left',
        caption_justify='left',
    )
    out.add_column('method')
    for heading in (*columns, 'time', 'ratio'):
        out.add_column(heading, justify='right', no_wrap=True)
    for row in _rows(results, columns):
        out.add_row(*row)
    return out


def markdown(
    results: Mapping[str, Any], columns: Mapping[str, str], title: str
) -> str:
    """Make the table of :func:`table` for the documentation."""
    head = ['method', *columns, 'time', 'ratio']
    lines = [head, ['---'] + ['---:'] * (len(head) - 1)]
    lines += _rows(results, columns)
    body = '\n'.join('| ' + ' | '.join(line) + ' |' for line in lines)
    return f'{title}\n\n{body}\n\n{_note(results)}\n'


def write_report(
    results: Mapping[str, Any],
    columns: Mapping[str, str],
    title: str,
    work_dir: PathLike,
) -> None:
    """Write ``results.json`` and ``results.md``.

    Args:
        results: From :func:`summarise`.
        columns: As for :func:`table`.
        title: As for :func:`table`.
        work_dir: Directory of the comparison.
    """
    out = Path(work_dir)
    write_text(out / 'results.json', json.dumps(results, indent=2))
    write_text(out / 'results.md', markdown(results, columns, title))
