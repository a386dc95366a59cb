"""Scores of rare classes beside those that a config has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config

from .training_data import as_list, type_name

__all__ = ['rare_evaluators']

_MOST = 4


def rare_evaluators(
    cfg: Config, counts: Sequence[float]
) -> tuple[dict[str, Any], list[int]]:
    """Let mmseg's IoU metrics of a config also score rare classes.

    Args:
        cfg (Config): The config.
        counts (Sequence[float]): Training pixels per class, of shape (C, ).

    Returns:
        tuple[dict, list[int]]: The settings, and the classes: four, or half
        of fewer than eight.
    """
    order = sorted(range(len(counts)), key=lambda i: counts[i])
    rare = sorted(order[: min(_MOST, len(counts) // 2)])
    settings = {}
    for key in ('val_evaluator', 'test_evaluator'):
        if 'IoUMetric' in map(type_name, as_list(cfg.get(key))):
            settings[key] = _changed(cfg[key], rare)
    return settings, rare


def _changed(evaluator: Any, rare: list[int]) -> Any:
    ours = dict(type='mmpaco.RareIoUMetric', rare_classes=rare)
    if isinstance(evaluator, Mapping):
        return ours
    # mmengine does not merge lists.
    return [
        {**x, **ours} if type_name(x) == 'IoUMetric' else x for x in evaluator
    ]
