"""Accuracy of each class, from the results of a test."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from mmpaco.engine.class_accuracy import count_predictions
from mmpaco.files import PathLike
from mmpaco.runner.checkpoint import load_pickle

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
        np.array([_class_of(x) for x in column], dtype=np.int64)
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
    return count_predictions(labels, predicted, num_classes).accuracy


def _class_of(value: Any) -> int:
    try:
        found = torch.as_tensor(value)
        if found.numel() == 1 and not found.is_floating_point():
            return int(found)
    except (TypeError, ValueError, RuntimeError):
        pass
    raise ValueError(
        'labels and predictions must be one whole number for each image, but '
        f'got {value!r}; write them with tools/test.py --out FILE.pkl'
    )
