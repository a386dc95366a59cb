"""What is kept of a finished run of the grid: its record."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmpaco.analysis.extra_loss import class_strengths
from mmpaco.analysis.gradient_norm import gradient_norms
from mmpaco.analysis.logit_adjustment import best_adjustment
from mmpaco.analysis.tau_normalize import search_tau
from mmpaco.comparison.runs import Run
from mmpaco.runner.processes import caller_environment

_VALIDATED = 'shot/all'
_SHOTS = ('all', 'many', 'medium', 'few')


def trained_record(run: Run, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Read what the tables and pictures need.

    Args:
        run: A run that has ended.
        facts: What is known of it before: label, setting and config.

    Returns:
        The record: the facts, the course of the validation and, if the run
        is tested, test figures, gradient norms and what adjusting its logits
        gives.
    """
    record = _record(run, facts, _validations(run))
    with contextlib.suppress(ValueError):
        # Other losses have no alpha.
        head = class_strengths(run.cfg)[0]
        record['alpha_k'] = float(f'{head.alpha_k:.3g}')
        record['k'] = float(f'{head.positives:.3g}')
    if run.has_test:
        record['test'] = _test_figures(run.metrics)
        with contextlib.suppress(ValueError):
            # Others have no linear classifier that trains.
            norms = gradient_norms(run.cfg, run.checkpoint)
            record['gradient_norm'] = [float(f'{x:.4g}') for x in norms]
        adjusted = best_adjustment(run.cfg, run.checkpoint)
        record['adjusted'] = {
            'strength': adjusted.strength,
            'all': round(adjusted.test, 3),
        }
    return record


def normalised_record(
    run: Run, facts: Mapping[str, Any], folder: Path, tools: Path
) -> dict[str, Any]:
    """Normalise the classifier of a run by tau, and test it.

    Args:
        run: A run that has ended.
        facts: Label, setting and config of the normalised classifier.
        folder: Checkpoint and log of it go here.
        tools: Folder of ``test.py``.

    Returns:
        The record, with tau in the setting.
    """
    checkpoint = folder / 'normalised.pth'
    chosen = search_tau(run.cfg, run.checkpoint, checkpoint)
    tested = replace(run, label=facts['label'], dir=folder)
    with open(tested.log, 'a', encoding='utf-8') as log:
        subprocess.run(
            [
                sys.executable,
                tools / 'test.py',
                run.config,
                checkpoint,
                '--work-dir',
                folder / 'test',
            ],
            env={**os.environ, **run.env, **caller_environment()},
            stdout=log,
            stderr=subprocess.STDOUT,
            check=True,
        )
    tested.close_test()
    facts = {**facts, 'setting': {**facts['setting'], 'tau': chosen.tau}}
    reached = {'tau': round(chosen.accuracy[chosen.tau], 3)}
    return {
        **_record(run, facts, reached),
        'test': _test_figures(tested.metrics),
    }


def _record(
    run: Run, facts: Mapping[str, Any], validation: Mapping[str, float]
) -> dict[str, Any]:
    return {
        **run.record,
        **facts,
        'epochs': run.cfg.train_cfg['max_epochs'],
        'validation': validation,
    }


def _validations(run: Run) -> dict[str, float]:
    """Balanced accuracy in %, by epoch."""
    return {
        str(scalars['step']): round(scalars[_VALIDATED], 3)
        for scalars in run.training.scalars()
        if _VALIDATED in scalars
    }


def _test_figures(metrics: Mapping[str, Any]) -> dict[str, Any]:
    shots = {
        group: round(metrics[f'shot/{group}'], 3)
        for group in _SHOTS
        if f'shot/{group}' in metrics
    }
    recall = metrics['single-label/recall_classwise']
    return {**shots, 'classes': [round(x, 2) for x in recall]}


def last_validation(record: Mapping[str, Any]) -> float:
    """Balanced validation accuracy in %, at the end of the training."""
    return float(list(record['validation'].values())[-1])
