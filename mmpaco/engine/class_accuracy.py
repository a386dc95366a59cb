"""Accuracy of each class, from the results of a test."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from mmpaco.files import PathLike

from .checkpoint import load_pickle

__all__ = ['class_accuracy', 'read_results']


def read_results(path: PathLike, trust: bool = False) -> list[dict[str, Any]]:
    """Read what ``tools/test.py --out FILE.pkl`` wrote.

    Args:
        path (str | PathLike): A file of predictions.
        trust (bool): As in ``load_pickle``. Defaults to False.

    Returns:
        list[dict]: A dict for each test image, with its ``gt_label`` and its
        ``pred_label`` or ``pred_score``.

    Raises:
        ValueError: If the file is refused or holds something else.
    """
    results = load_pickle(path, trust)
    if (
        not isinstance(results, list)
        or not results
        or not all(
            isinstance(x, dict)
            and 'gt_label' in x
            and ('pred_label' in x or 'pred_score' in x)
            for x in results
        )
    ):
        raise ValueError(
            f'{path} holds no predictions with gt_label and pred_label; write '
            'them with tools/test.py CONFIG CHECKPOINT --out FILE.pkl '
            '(without --out-item metrics)'
        )
    return results


def class_accuracy(
    results: Sequence[dict[str, Any]], num_classes: int
) -> 'np.ndarray[Any, Any]':
    """Compute the accuracy of each class.

    Args:
        results (Sequence[dict]): As from :func:`read_results`.
        num_classes (int): The class count C.

    Returns:
        np.ndarray: Percentages of shape (C, ); nan where there is no test
        image of the class.

    Raises:
        ValueError: If a label is outside of [0, C).
    """
    labels, predicted = (
        np.array([int(torch.as_tensor(x)) for x in column], dtype=np.int64)
        for column in zip(
            *(
                (
                    x['gt_label'],
                    x['pred_label']
                    if 'pred_label' in x
                    else torch.as_tensor(x['pred_score']).argmax(),
                )
                for x in results
            )
        )
    )
    if labels.min() < 0 or labels.max() >= num_classes:
        raise ValueError(
            f'labels must lie in [0, {num_classes}), the classes of the '
            f'training set, but got {labels.min()} to {labels.max()}'
        )
    right = np.bincount(labels[labels == predicted], minlength=num_classes)
    total = np.bincount(labels, minlength=num_classes)
    return np.where(total > 0, 100.0 * right / np.maximum(total, 1), np.nan)
