"""The one class that an image has, and the one that is predicted."""

from collections.abc import Mapping
from typing import Any, Optional

import torch

__all__ = ['best_class', 'one_class', 'predicted_class', 'scores_of']


def one_class(sample: Mapping[str, Any], key: str, metric: str) -> int:
    """Read a class from a data sample.

    Args:
        sample (Mapping): The data sample.
        key (str): ``'gt_label'`` or ``'pred_label'``.
        metric (str): Who asks, for messages.

    Returns:
        int: The class.

    Raises:
        ValueError: If there is not exactly one.
    """
    value = torch.as_tensor(sample.get(key, ()))
    if value.numel() != 1:
        raise ValueError(
            f'{metric} needs one class for each image, but {key} of a '
            f'data sample has {value.numel()}; it is no metric of several '
            'labels or tasks'
        )
    return int(value)


def predicted_class(sample: Mapping[str, Any], metric: str) -> int:
    """Read the class that is predicted, that of the best score if there are.

    Args:
        sample (Mapping): The data sample.
        metric (str): Who asks, for messages.

    Returns:
        int: The class.

    Raises:
        ValueError: If there is not exactly one, or a score is nan.
    """
    if 'pred_score' in sample:
        return best_class(scores_of(sample, None, metric), metric)
    return one_class(sample, 'pred_label', metric)


def best_class(scores: torch.Tensor, metric: str) -> int:
    """Find the best of the scores.

    Args:
        scores (Tensor): Of shape (C, ).
        metric (str): Who asks, for messages.

    Returns:
        int: Its place.

    Raises:
        ValueError: If a score is nan.
    """
    best, place = scores.max(0)
    # A nan counts as the largest.
    if best.isnan():
        raise ValueError(
            f'{metric} got nan as the score of a class, which is no '
            'prediction: the weights, or what the network makes of an image, '
            'are not finite; look for nan in the checkpoint, and test in '
            'float32 if this was in half precision'
        )
    return int(place)


def scores_of(
    sample: Mapping[str, Any], num_classes: Optional[int], metric: str
) -> torch.Tensor:
    """Read the scores of all classes, as many as there must be.

    Args:
        sample (Mapping): The data sample.
        num_classes (int, optional): The class count C; None for any.
        metric (str): Who asks, for messages.

    Returns:
        Tensor: Of shape (C, ).

    Raises:
        ValueError: If there are none, or another number, or those of
            several images.
    """
    if 'pred_score' not in sample:
        raise ValueError(
            f'{metric} needs the scores of all classes, but a data sample '
            'has no pred_score'
        )
    scores = torch.as_tensor(sample['pred_score'])
    if scores.dim() != 1 or not scores.numel():
        raise ValueError(
            f'{metric} needs one score for each class, but those of an image '
            f'are of shape {tuple(scores.shape)}; expected (classes, )'
        )
    if num_classes is not None and scores.shape != (num_classes,):
        raise ValueError(
            f'{metric} needs a classifier of {num_classes} classes, but its '
            f'scores are of shape {tuple(scores.shape)}; test a model that '
            f'is trained on these {num_classes} classes'
        )
    return scores
