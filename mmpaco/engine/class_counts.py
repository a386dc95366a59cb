"""Training images, or pixels, per class of any dataset."""

import logging
from typing import Any, Optional

import numpy as np
from mmengine.logging import print_log

from .pixel_counts import count_pixels, loading_steps
from .wrapped_datasets import through_wrappers


def dataset_labels(
    dataset: Any, each_item: bool = False
) -> 'np.ndarray[Any, Any]':
    """Class label of every image of a dataset, through its wrappers.

    Args:
        dataset: A dataset with ``get_gt_labels`` (any of mmpretrain's), or
            wrappers of such (``.dataset``, ``.datasets``, or torch's
            ``Subset``).
        each_item (bool): Whether a wrapper that repeats or resamples its
            dataset gives a label for each of its items, as a sampler needs
            them. Defaults to False: it counts as that dataset, since the
            class prior is that of the images.

    Returns:
        np.ndarray: The labels.

    Raises:
        TypeError: If no labels can be found, or an image has several.
        ValueError: If the dataset is empty.
    """

    def read(part: Any) -> 'Optional[np.ndarray[Any, Any]]':
        if not hasattr(part, 'get_gt_labels'):
            return None
        if hasattr(part, 'full_init'):
            # What is wrong with its files it says itself.
            part.full_init()
        try:
            return np.asarray(part.get_gt_labels())
        except (ValueError, KeyError) as error:
            # Of NumPy, for rows of several lengths; of annotations without
            # labels.
            raise TypeError(
                'expected one integer label for each image, but those of '
                f'{type(part).__name__} cannot be read as such; class counts '
                'need a set with labels, and not of several labels or tasks'
            ) from error

    return through_wrappers(dataset, read, each_item)


def check_labels(labels: 'np.ndarray[Any, Any]', dataset: Any) -> None:
    """Check that each image has one integer label.

    Args:
        labels (np.ndarray): The labels.
        dataset: Whose they are.

    Raises:
        TypeError: If it is not so.
    """
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise TypeError(
            'expected one integer label for each image, but '
            f'{type(dataset).__name__} gave {labels.dtype} of shape '
            f'{labels.shape}'
        )


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
    check_labels(labels, dataset)
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


def count_classes(
    dataset: Any, num_classes: Optional[int] = None
) -> 'tuple[np.ndarray[Any, Any], str]':
    """Count what a loss of this dataset sees: images, or pixels.

    Args:
        dataset: A dataset of mmpretrain or of mmseg, or wrappers of such.
        num_classes (int, optional): The class count C. Defaults to the
            classes in the dataset's metainfo.

    Returns:
        tuple[np.ndarray, str]: The counts, int64 of shape (C, ), and
        'images' or 'pixels'.

    Raises:
        TypeError: If it has neither labels nor label maps.
        ValueError: As by :func:`count_labels` and :func:`count_pixels`.
    """
    part = dataset
    while hasattr(part, 'datasets') or hasattr(part, 'dataset'):
        part = part.datasets[0] if hasattr(part, 'datasets') else part.dataset
    if loading_steps(part):
        return count_pixels(dataset, num_classes), 'pixels'
    return count_labels(dataset, num_classes), 'images'


def warn_of_missing(
    counts: 'np.ndarray[Any, Any]', what: str = 'images'
) -> None:
    """Warn of classes that nothing trains, as of another ``num_classes``.

    Args:
        counts (np.ndarray): Images or pixels per class, of shape (C, ).
        what (str): 'images' or 'pixels'. Defaults to 'images'.
    """
    missing = np.flatnonzero(counts == 0).tolist()
    if missing:
        shown = ', '.join(map(str, missing[:5]))
        print_log(
            f'{len(missing)} of {len(counts)} classes have no training {what} '
            f'({shown}{", ..." if len(missing) > 5 else ""}) and will not be '
            f'learnt; check that num_classes={len(counts)} is that of the '
            'training set',
            logger='current',
            level=logging.WARNING,
        )
