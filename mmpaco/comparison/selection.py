"""Settings chosen on a validation set, before anything is tested."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

from mmpaco.methods import Refusal

from .columns import main_metric
from .compare import Comparison, method_run
from .configs import plan_method, write_common
from .data_facts import known_facts
from .runs import Run
from .settings import COMMON, divide, grid, setting_text
from .validation import validation_settings

__all__ = ['select']


def select(
    comparison: Comparison, choices: Mapping[str, Any]
) -> dict[str, Any]:
    """Choose settings of methods by their figure on a validation set.

    Each combination of a method's values is trained once, with the first
    seed, and tested on the validation set: these trainings never see the test
    set. The best of each method, the first of several, becomes its setting in
    the comparison.

    Args:
        comparison (Comparison): A comparison that is not planned yet; its
            settings are changed.
        choices (Mapping): Values by ``METHOD.KEY``.

    Returns:
        dict: What was tried and chosen, for ``results.json``.

    Raises:
        Refusal: If a choice is of no single method, or there can be no
            validation set.
        RuntimeError: If no trial of a method succeeded.
    """
    methods = comparison.request.methods
    divided = divide(choices, methods, comparison.common)
    if divided[COMMON]:
        raise Refusal(
            f'a choice is of one method, METHOD.KEY=V1,V2, but '
            f'{", ".join(divided[COMMON])} is of all; the methods are '
            f'{", ".join(methods)}'
        )
    key = main_metric(comparison.common)
    settings, told = validation_settings(comparison.common)
    folder = comparison.folder / 'select'
    common = folder / 'configs' / 'common.py'
    write_common(str(comparison.common_path), common, {}, settings)
    trials = {
        name: _trials(comparison, common, name, wanted, folder)
        for name, wanted in divided.items()
        if wanted
    }
    comparison.run_all([run for group in trials.values() for _, run in group])
    found: dict[str, Any] = {'validation': told, 'methods': {}}
    for name, group in trials.items():
        found['methods'][name] = _chosen(name, key, group)
        comparison.settings[name] |= found['methods'][name]['chosen']
    _tell(found)
    return found


def _trials(
    comparison: Comparison,
    common: Path,
    name: str,
    wanted: Mapping[str, Any],
    folder: Path,
) -> list[tuple[dict[str, Any], Run]]:
    seed = comparison.seeds[0]
    facts = known_facts(common, [seed])
    runs = []
    names: set[str] = set()
    for setting in grid(wanted):
        given = {**comparison.settings[name], **setting}
        label = f'{name} ({setting_text(setting)})'
        planned = plan_method(name, common, facts, given, label, names)
        run = method_run(planned, seed, folder, comparison.request.gpus)
        runs.append((setting, run))
    return runs


def _chosen(
    name: str, key: str, group: Sequence[tuple[dict[str, Any], Run]]
) -> dict[str, Any]:
    tried: list[dict[str, Any]] = [
        {
            'setting': setting,
            'validation': (value := _measured(run, key)),
            'failure': run.failure
            if not run.finished
            else f'its validation gives no finite {key}'
            if value is None
            else None,
        }
        for setting, run in group
    ]
    known = [x for x in tried if x['validation'] is not None]
    if not known:
        raise RuntimeError(
            f'no trial of {name} succeeded, so nothing can be chosen: '
            f'{tried[0]["failure"]} ({group[0][1].log})'
        )
    best = max(known, key=lambda x: float(x['validation']))
    return {'tried': tried, 'chosen': best['setting']}


def _measured(run: Run, key: str) -> Optional[float]:
    value = run.metrics.get(key) if run.finished else None
    # Beside a nan, no figure is larger.
    is_figure = isinstance(value, (int, float)) and math.isfinite(value)
    return value if is_figure else None


def _tell(found: Mapping[str, Any]) -> None:
    print(f'Settings were chosen on {found["validation"]}.')
    for name, method in found['methods'].items():
        for trial in method['tried']:
            value = trial['validation']
            figure = 'FAILED' if value is None else f'{value:.2f} %'
            mark = ' (chosen)' if trial['setting'] == method['chosen'] else ''
            print(
                f'  {name}, {setting_text(trial["setting"])}: {figure}{mark}'
            )
