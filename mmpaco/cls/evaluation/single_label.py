"""The one class that an image has, and the one that is predicted."""

from collections.abc import Mapping
from typing import Any, Optional

import torch

__all__ = ['one_class', 'predicted_class', 'scores_of']


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
        ValueError: If there is not exactly one.
    """
    if 'pred_score' in sample:
        return int(torch.as_tensor(sample['pred_score']).argmax())
    return one_class(sample, 'pred_label', metric)


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
        ValueError: If there are none, or another number.
    """
    if 'pred_score' not in sample:
        raise ValueError(
            f'{metric} needs the scores of all classes, but a data sample '
            'has no pred_score'
        )
    scores = torch.as_tensor(sample['pred_score'])
    if num_classes is not None and scores.shape != (num_classes,):
        raise ValueError(
            f'{metric} needs a classifier of {num_classes} classes, but its '
            f'scores are of shape {tuple(scores.shape)}; test a model that '
            f'is trained on these {num_classes} classes'
        )
    return scores
