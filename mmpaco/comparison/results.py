"""The figures of a comparison."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from .runs import Run, clock


def by_method(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Group runs by the label of their method, in order."""
    methods: dict[str, list[Run]] = {}
    for run in runs:
        methods.setdefault(run.label, []).append(run)
    return methods


def summarise(
    runs: Sequence[Run],
    reference: str,
    settings: Mapping[str, Any],
    refused: Optional[Mapping[str, str]] = None,
) -> dict[str, Any]:
    """Gather the results of runs that have ended.

    Args:
        runs: Runs that are finished or have failed.
        reference: Label of the method that times and memory are divided by.
        settings: Whatever a reader must know besides, such as the bounds
            of groups of classes.
        refused: Why a method has no run, by its label.

    Returns:
        For every method its finished runs, and over their seeds the mean and
        the sample standard deviation (None for one seed) of every scalar
        metric, mean training time, peak memory and their ratios to the
        reference (None where they are not known), and what failed. The time
        is ``cpu_seconds`` if all runs have it, else ``seconds``.

    Raises:
        ValueError: If there is no such reference.
        RuntimeError: If a run was not brought to an end.
    """
    methods = by_method(runs)
    refused = refused or {}
    if reference not in {*methods, *refused}:
        raise ValueError(
            f'reference must be one of {[*methods, *refused]}, but got '
            f'{reference!r}'
        )
    for run in runs:
        if not run.finished and run.failure is None:
            raise RuntimeError(f'{run} is not finished; call run_all first.')
    unit = clock(run.record for run in runs if run.finished)
    found = {label: _method(group, unit) for label, group in methods.items()}
    for label, why in refused.items():
        found[label] = {**_method([], unit), 'failures': [why]}
    for method in found.values():
        for key, name in (('seconds', 'time'), ('memory', 'memory')):
            base = found[reference][key]
            method[f'{name}_ratio'] = _ratio(method[key], base)
    return {
        'clock': unit,
        'settings': dict(settings),
        'reference': reference,
        'methods': found,
    }


def _method(group: Sequence[Run], unit: str) -> dict[str, Any]:
    finished = [run for run in group if run.finished]
    records = [_cost(run) for run in finished]
    metrics = [run.metrics for run in finished]
    scalars = {
        key: [float(m[key]) for m in metrics]
        for key in (metrics[0] if metrics else {})
        if all(isinstance(m.get(key), (int, float)) for m in metrics)
    }
    memory = [x['memory'] for x in records if 'memory' in x]
    return {
        'config': str(group[0].config) if group else None,
        'runs': [{**x, 'metrics': m} for x, m in zip(records, metrics)],
        'failures': [
            f'seed {run.seed}: {run.failure}'
            for run in group
            if not run.finished
        ],
        'mean': {k: statistics.fmean(v) for k, v in scalars.items()},
        'std': {k: _spread(v) for k, v in scalars.items()},
        'seconds': _mean([float(x[unit]) for x in records]),
        'memory': max(memory) if memory else None,
    }


def _cost(run: Run) -> dict[str, Any]:
    """The record of a run, with what its first stage cost."""
    record = run.record
    for first in run.stages[:-1]:
        before = first.record
        for key in {'seconds', 'cpu_seconds'} & set(record) & set(before):
            record[key] += before[key]
        if 'memory' in record:
            record['memory'] = max(record['memory'], before.get('memory', 0))
    return record


def _mean(values: Sequence[float]) -> Optional[float]:
    return statistics.fmean(values) if values else None


def _spread(values: Sequence[float]) -> Optional[float]:
    return statistics.stdev(values) if len(values) > 1 else None


def _ratio(value: Optional[float], base: Optional[float]) -> Optional[float]:
    return value / base if value is not None and base else None
