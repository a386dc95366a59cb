"""Checks of the arguments of the losses, which read no device."""

import math
from collections.abc import Callable
from typing import Optional

import torch
from torch import Tensor

from .class_counts import check_counts_of_loss

# The least normal number of float32.
_TINY = torch.finfo(torch.float32).tiny

# What a parameter must be, and the test of it.
_RANGES: dict[str, tuple[str, Callable[[float], bool]]] = {
    'alpha': ('not negative', lambda x: x >= 0),
    'temperature': ('positive', lambda x: x > 0),
    # Where there are no positives, it is all that the loss is divided by.
    'beta': (f'at least {_TINY:.1e}', lambda x: x >= _TINY),
    'gamma': ('not negative', lambda x: x >= 0),
    'base_temperature': (
        'positive, or None for the temperature',
        lambda x: x > 0,
    ),
    'label_smoothing': ('in [0, 1)', lambda x: 0 <= x < 1),
    'supcon_weight': ('not negative', lambda x: x >= 0),
    'max_margin': ('not negative', lambda x: x >= 0),
    'scale': ('positive', lambda x: x > 0),
    'tau': ('not negative', lambda x: x >= 0),
    'head': ('in [0, 1)', lambda x: 0 <= x < 1),
    'spread': ('in [0, 1)', lambda x: 0 <= x < 1),
    'tail': ('in [0, 1)', lambda x: 0 <= x < 1),
}


def check_numbers(**values: Optional[float]) -> None:
    """Raise a ``ValueError`` for a parameter that is out of range."""
    for name, value in values.items():
        expected, is_fine = _RANGES[name]
        if value is None and name == 'base_temperature':
            continue
        if value is None or not (is_fine(value) and math.isfinite(value)):
            raise ValueError(
                f'{name} must be finite and {expected}, but got {value}'
            )


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
    if (extra_features is None) != (extra_labels is None):
        raise ValueError(
            'extra_features and extra_labels go together, but '
            'only one of them was given'
        )
    if extra_features is not None and extra_labels is not None:
        _check_rows(
            'extra_features', extra_features, 'extra_labels', extra_labels
        )
        if extra_features.shape[-1] != features.shape[-1]:
            raise ValueError(
                f'features have {features.shape[-1]} dimensions, but '
                f'extra_features have {extra_features.shape[-1]}'
            )
        if extra_features.shape[:-2] != features.shape[:-2]:
            raise ValueError(
                f'features have shape {tuple(features.shape)}, but '
                f'extra_features {tuple(extra_features.shape)}; expected '
                'those of each image'
            )
    if center_logits.shape[:-1] != features.shape[:-1]:
        raise ValueError(
            'center_logits must have shape (N, C), or (B, N, C), with '
            f'N={features.shape[-2]} as in features of shape '
            f'{tuple(features.shape)}, but got {tuple(center_logits.shape)}'
        )
    if not center_logits.is_floating_point():
        raise TypeError(
            f'center_logits must be floating, but got {center_logits.dtype}'
        )
    if class_counts is not None:
        check_counts_of_loss(class_counts, center_logits.flatten(0, -2))


def _check_rows(
    name: str, rows: Tensor, labels_name: str, labels: Tensor
) -> None:
    if rows.dim() not in (2, 3):
        raise ValueError(
            f'{name} must have shape (rows, D), or (B, rows, D) for B images, '
            f'but got {tuple(rows.shape)}'
        )
    if not rows.is_floating_point():
        raise TypeError(f'{name} must be floating, but got {rows.dtype}')
    if labels.dtype not in (torch.int64, torch.int32):
        raise TypeError(
            f'{labels_name} must be int64 or int32, but got {labels.dtype}'
        )
    if labels.shape != rows.shape[:-1]:
        raise ValueError(
            f'{labels_name} must have shape {tuple(rows.shape[:-1])}, one '
            f'label for each of the {name}, but got {tuple(labels.shape)}'
        )
