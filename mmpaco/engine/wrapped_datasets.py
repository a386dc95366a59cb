"""Datasets inside of those that join, repeat or resample them."""

from collections.abc import Callable
from typing import Any, Optional

import numpy as np


def through_wrappers(
    dataset: Any,
    read: 'Callable[[Any], Optional[np.ndarray[Any, Any]]]',
    each_item: bool = False,
) -> 'np.ndarray[Any, Any]':
    """Read rows, one for each image, of the datasets inside of wrappers.

    Args:
        dataset: A dataset, or wrappers of such.
        read (Callable): Gives the rows of a dataset that is no wrapper, of
            shape (N, ...), or None if it has none.
        each_item (bool): Whether an image that a wrapper repeats has as many
            rows, so that row i is of item i. Defaults to False.

    Returns:
        np.ndarray: The rows of all, in their order.

    Raises:
        TypeError: If a dataset has no rows, or those of several differ.
        ValueError: If there are none.
    """
    rows = read(dataset)
    if rows is None and hasattr(dataset, 'datasets'):
        parts = [
            through_wrappers(part, read, each_item)
            for part in dataset.datasets
        ]
        if len({part.shape[1:] for part in parts}) > 1:
            raise TypeError(
                f'the sets of a {type(dataset).__name__} differ in what they '
                'say of an image, one class or several; class counts need one '
                'class for each image'
            )
        rows = np.concatenate(parts)
    elif rows is None and hasattr(dataset, 'dataset'):
        rows = through_wrappers(dataset.dataset, read, each_item)
        if hasattr(dataset, 'indices'):
            rows = rows[np.asarray(dataset.indices, dtype=np.int64)]
        elif each_item and hasattr(dataset, 'repeat_indices'):
            rows = rows[np.asarray(dataset.repeat_indices, dtype=np.int64)]
        elif each_item and hasattr(dataset, 'times'):
            rows = np.concatenate([rows] * dataset.times)
    if rows is None:
        raise TypeError(
            f'{type(dataset).__name__} has no labels: expected a dataset '
            'with get_gt_labels(), as those of mmpretrain, or one with a step '
            'in its pipeline that loads label maps (LoadAnnotations), as '
            'those of mmseg, or a wrapper of one; or give class_counts in '
            'the config'
        )
    if len(rows) == 0:
        raise ValueError(
            f'{type(dataset).__name__} is empty; check its data_root, '
            'data_prefix, ann_file and the suffix of its images'
        )
    return rows
