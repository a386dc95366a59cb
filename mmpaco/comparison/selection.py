"""Settings chosen on a validation set, before anything is tested."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

from mmpaco.methods import Refusal
from mmpaco.methods.base import nearest

from .columns import in_words, main_metric
from .compare import Comparison, method_run
from .configs import plan_method, write_common
from .data_facts import known_facts
from .runs import Run
from .settings import COMMON, divide, grid, setting_text
from .validation import validation_settings

__all__ = ['Trials', 'plan_trials', 'select', 'told_selection']


class Trials(NamedTuple):
    """Trainings that choose settings, and never see the test set.

    Args:
        validation (str): What they are tested on, in words.
        groups (dict): By method, each setting and its run.
    """

    validation: str
    groups: dict[str, list[tuple[dict[str, Any], Run]]]


def plan_trials(comparison: Comparison, choices: Mapping[str, Any]) -> Trials:
    """Plan a training for each combination of a method's values.

    It has the first seed, and is tested on the validation set.

    Args:
        comparison (Comparison): A comparison that is not planned yet.
        choices (Mapping): Values by ``METHOD.KEY``; there must be some.

    Returns:
        Trials: The trainings.

    Raises:
        Refusal: If a choice is of no method that is compared, or there can be
            no validation set.
    """
    methods = comparison.request.methods
    divided = divide(choices, methods, comparison.common)
    for key in divided[COMMON]:
        meant = nearest(key.partition('.')[0], methods)
        raise Refusal(
            f'a choice is of one method, METHOD.KEY=V1,V2, and {key} is of '
            f'none that is compared{meant}; compared are {", ".join(methods)}'
        )
    settings, told = validation_settings(comparison.common)
    folder = comparison.folder / 'select'
    common = folder / 'configs' / 'common.py'
    write_common(str(comparison.common_path), common, {}, settings)
    groups = {
        name: _trials(comparison, common, name, wanted, folder)
        for name, wanted in divided.items()
        if wanted
    }
    return Trials(told, groups)


def select(comparison: Comparison, trials: Trials) -> dict[str, Any]:
    """Choose settings of methods by their figure on a validation set.

    The best of each method, the first of several, becomes its setting in the
    comparison.

    Args:
        comparison (Comparison): A comparison that is not planned yet; its
            settings are changed.
        trials (Trials): From :func:`plan_trials`.

    Returns:
        dict: What was tried and chosen, for ``results.json``.

    Raises:
        RuntimeError: If no trial of a method succeeded.
    """
    groups = trials.groups
    comparison.run_all([run for group in groups.values() for _, run in group])
    key = main_metric(comparison.common)
    found = {name: _chosen(name, key, group) for name, group in groups.items()}
    for name, method in found.items():
        comparison.settings[name] |= method['chosen']
    selection = {
        'metric': in_words(key),
        'validation': trials.validation,
        'methods': found,
    }
    print(*told_selection(selection), sep='\n')
    return selection


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


def told_selection(selection: Mapping[str, Any]) -> list[str]:
    """Tell what was tried, and what was chosen.

    Args:
        selection (Mapping): From :func:`select`.

    Returns:
        list[str]: Sentences.
    """
    said = [
        f'Settings were chosen by {selection["metric"]} with one seed, on '
        f'{selection["validation"]}. The test set chose nothing. A method '
        'with more trials has more chances:'
    ]
    for name, method in selection['methods'].items():
        for trial in method['tried']:
            value = trial['validation']
            figure = 'FAILED' if value is None else f'{value:.2f} %'
            mark = ' (chosen)' if trial['setting'] == method['chosen'] else ''
            setting = setting_text(trial['setting'])
            said.append(f'- {name}, {setting}: {figure}{mark}')
    return said
