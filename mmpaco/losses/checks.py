"""Checks of the arguments of :func:`paco_loss`, none of which reads values."""

import math
from typing import Optional

import torch
from torch import Tensor

IMPLS = ('tiled', 'dense')
REDUCTIONS = ('mean', 'sum', 'none')


def check_parameters(
    alpha: float,
    temperature: float,
    beta: float,
    gamma: float,
    base_temperature: Optional[float],
    label_smoothing: float,
    reduction: str,
    impl: str,
) -> None:
    """Raise a ``ValueError`` for a parameter that is out of range."""
    for name, value, is_fine, expected in (
        ('alpha', alpha, alpha >= 0, 'not negative'),
        ('temperature', temperature, temperature > 0, 'positive'),
        ('beta', beta, beta > 0, 'positive'),
        ('gamma', gamma, gamma >= 0, 'not negative'),
        (
            'base_temperature',
            base_temperature,
            base_temperature is None or base_temperature > 0,
            'positive, or None for the temperature',
        ),
        (
            'label_smoothing',
            label_smoothing,
            0 <= label_smoothing < 1,
            'in [0, 1)',
        ),
    ):
        if not is_fine or (value is not None and not math.isfinite(value)):
            raise ValueError(
                f'{name} must be finite and {expected}, but got {value}'
            )
    if reduction not in REDUCTIONS:
        raise ValueError(
            f'reduction must be one of {REDUCTIONS}, but got {reduction!r}'
        )
    if impl not in IMPLS:
        raise ValueError(f'impl must be one of {IMPLS}, but got {impl!r}')


def check_inputs(
    features: Tensor,
    labels: Tensor,
    center_logits: Tensor,
    extra_features: Optional[Tensor],
    extra_labels: Optional[Tensor],
    class_counts: Optional[Tensor],
) -> None:
    """Raise a ``ValueError`` or ``TypeError`` for a tensor out of place."""
    _check_rows('features', features, 'labels', labels)
    if center_logits.dim() != 2 or len(center_logits) != len(features):
        raise ValueError(
            f'center_logits must have shape (N, C) with N={len(features)} as '
            f'in features, but got {tuple(center_logits.shape)}'
        )
    if not center_logits.is_floating_point():
        raise TypeError(
            f'center_logits must be floating, but got {center_logits.dtype}'
        )
    if (extra_features is None) != (extra_labels is None):
        raise ValueError(
            'extra_features and extra_labels go together, but '
            'only one of them was given'
        )
    if extra_features is not None and extra_labels is not None:
        _check_rows(
            'extra_features', extra_features, 'extra_labels', extra_labels
        )
        if extra_features.shape[1] != features.shape[1]:
            raise ValueError(
                f'features have {features.shape[1]} dimensions, but '
                f'extra_features have {extra_features.shape[1]}'
            )
    if class_counts is not None and class_counts.shape != (
        center_logits.shape[1],
    ):
        raise ValueError(
            f'expected one class count for each of {center_logits.shape[1]} '
            f'centers, but got shape {tuple(class_counts.shape)}'
        )


def _check_rows(
    name: str, rows: Tensor, labels_name: str, labels: Tensor
) -> None:
    if rows.dim() != 2:
        raise ValueError(
            f'{name} must have shape (rows, D), but got {tuple(rows.shape)}'
        )
    if not rows.is_floating_point():
        raise TypeError(f'{name} must be floating, but got {rows.dtype}')
    if labels.dtype not in (torch.int64, torch.int32):
        raise TypeError(
            f'{labels_name} must be int64 or int32, but got {labels.dtype}'
        )
    if labels.shape != rows.shape[:1]:
        raise ValueError(
            f'{labels_name} must have shape ({len(rows)}, ), one label for '
            f'each of the {name}, but got {tuple(labels.shape)}'
        )
