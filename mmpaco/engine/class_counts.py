"""Training images per class of any classification dataset."""

from typing import Any, Optional

import numpy as np


def dataset_labels(dataset: Any) -> 'np.ndarray[Any, Any]':
    """Class label of every image of a dataset, through its wrappers.

    A wrapper that repeats or resamples its dataset counts as that dataset:
    the class prior is that of the images, not of the sampler.

    Args:
        dataset: A dataset with ``get_gt_labels`` (any of mmpretrain's), or
            wrappers of such (``.dataset``, ``.datasets``, or torch's
            ``Subset``).

    Returns:
        np.ndarray: The labels.

    Raises:
        TypeError: If no labels can be found.
        ValueError: If the dataset is empty.
    """
    if hasattr(dataset, 'get_gt_labels'):
        labels = np.asarray(dataset.get_gt_labels())
    elif hasattr(dataset, 'datasets'):
        labels = np.concatenate([dataset_labels(d) for d in dataset.datasets])
    elif hasattr(dataset, 'dataset'):
        labels = dataset_labels(dataset.dataset)
        if hasattr(dataset, 'indices'):
            labels = labels[np.asarray(dataset.indices, dtype=np.int64)]
    else:
        raise TypeError(
            f'{type(dataset).__name__} has no labels: expected a dataset '
            'with get_gt_labels(), as those of mmpretrain, or a wrapper of '
            'one'
        )
    if labels.size == 0:
        raise ValueError(
            f'{type(dataset).__name__} is empty; check its '
            'ann_file and data_prefix'
        )
    return labels


def count_labels(
    dataset: Any, num_classes: Optional[int] = None
) -> 'np.ndarray[Any, Any]':
    """Count the images of each class.

    Args:
        dataset: As in :func:`dataset_labels`.
        num_classes (int, optional): The class count C. Defaults to the
            classes in the dataset's metainfo, or else the largest label.

    Returns:
        np.ndarray: Images per class, int64 of shape (C, ).

    Raises:
        TypeError: If no labels can be found, or they are not integers.
        ValueError: If the dataset is empty or a label is outside of [0, C).
    """
    labels = dataset_labels(dataset)
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise TypeError(
            'expected one integer label for each image, but '
            f'{type(dataset).__name__} gave {labels.dtype} of shape '
            f'{labels.shape}'
        )
    if num_classes is None:
        classes = getattr(dataset, 'metainfo', {}).get('classes')
        num_classes = len(classes) if classes else int(labels.max()) + 1
    if labels.min() < 0 or labels.max() >= num_classes:
        raise ValueError(
            f'labels must lie in [0, {num_classes}), but '
            f'{type(dataset).__name__} has {labels.min()} to {labels.max()}; '
            'check the annotations and num_classes'
        )
    return np.bincount(labels, minlength=num_classes)
