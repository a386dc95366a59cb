"""Training images, or pixels, per class of any dataset."""

import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Optional

import numpy as np
import torch
from mmengine.dist import all_reduce, get_dist_info
from mmengine.logging import print_log

from .image_files import load_label_map

_MAX_THREADS = 8


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

    return _through_wrappers(dataset, read)


def _through_wrappers(
    dataset: Any, read: 'Callable[[Any], Optional[np.ndarray[Any, Any]]]'
) -> 'np.ndarray[Any, Any]':
    """Read rows, one for each image, of the datasets inside of wrappers."""
    rows = read(dataset)
    if rows is None and hasattr(dataset, 'datasets'):
        parts = [_through_wrappers(part, read) for part in dataset.datasets]
        if len({part.shape[1:] for part in parts}) > 1:
            raise TypeError(
                f'the sets of a {type(dataset).__name__} differ in what they '
                'say of an image, one class or several; class counts need one '
                'class for each image'
            )
        rows = np.concatenate(parts)
    elif rows is None and hasattr(dataset, 'dataset'):
        rows = _through_wrappers(dataset.dataset, read)
        if hasattr(dataset, 'indices'):
            rows = rows[np.asarray(dataset.indices, dtype=np.int64)]
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


class PixelCounter:
    """Counts the pixels of each class, one label map after the other.

    The label maps are read as training reads them, by the step of the
    dataset's pipeline that loads them, with its ``reduce_zero_label`` and its
    label map, at the size of the files. No image is read. Wrappers count as
    in :func:`dataset_labels`.

    Args:
        dataset: A dataset of mmseg, or wrappers of such.
        num_classes (int): The class count C.

    Raises:
        TypeError: If a dataset has no step that loads label maps, or several.
        ValueError: If it is empty.
    """

    def __init__(self, dataset: Any, num_classes: int) -> None:
        self.num_classes = num_classes
        self._parts: list[tuple[Any, Any]] = []
        # The number of the part, and that of the label map in it.
        self._places = _through_wrappers(dataset, self._read)

    def _read(self, part: Any) -> 'Optional[np.ndarray[Any, Any]]':
        steps = _loading_steps(part)
        if not steps:
            return None
        if len(steps) > 1:
            raise TypeError(
                f'the pipeline of {type(part).__name__} must have one step '
                f'that loads label maps, but has {len(steps)}'
            )
        self._parts.append((part, steps[0]))
        indices = np.arange(len(part))
        numbers = np.full_like(indices, len(self._parts) - 1)
        return np.stack([numbers, indices], axis=1)

    def __len__(self) -> int:
        return len(self._places)

    def __call__(self, index: int) -> 'np.ndarray[Any, Any]':
        """Count the pixels of a label map.

        Args:
            index (int): Its number, below the length of this counter.

        Returns:
            np.ndarray: Pixels of each class, and in the last place the
            ignored ones, int64 of shape (C + 1, ).

        Raises:
            FileNotFoundError: If a label map is missing.
            ValueError: If it cannot be read, holds something else than class
                ids, or a label that is neither a class nor ignored.
        """
        return self.count(*self.read(index))

    def read(
        self, index: int
    ) -> 'tuple[Any, dict[str, Any], np.ndarray[Any, Any]]':
        """Read a label map.

        Args:
            index (int): Its number.

        Returns:
            tuple[Any, dict, np.ndarray]: The dataset that it is of, what
            that knows of the image, and the labels.

        Raises:
            FileNotFoundError: If it is missing.
            ValueError: As by :func:`load_label_map`.
        """
        number, place = self._places[index].tolist()
        dataset, load = self._parts[number]
        info = dataset.get_data_info(place)
        return dataset, info, load_label_map(load, info)

    def count(
        self,
        dataset: Any,
        info: 'dict[str, Any]',
        labels: 'np.ndarray[Any, Any]',
    ) -> 'np.ndarray[Any, Any]':
        """Count the pixels of labels that are read.

        Args:
            dataset: As from :meth:`read`, as the other arguments.
            info (dict): What it knows of the image.
            labels (np.ndarray): The labels.

        Returns:
            np.ndarray: As of a call.

        Raises:
            ValueError: If a label is neither a class nor ignored.
        """
        ignore_index = getattr(dataset, 'ignore_index', 255)
        classes = labels[labels != ignore_index]
        outside = (classes < 0) | (classes >= self.num_classes)
        if outside.any():
            raise ValueError(
                f'{info["seg_map_path"]} holds the labels '
                f'{np.unique(classes[outside]).tolist()}, but there are '
                f'{self.num_classes} classes and {ignore_index} is ignored; '
                'convert the annotations, or set reduce_zero_label if 0 is '
                'void'
            )
        counts = np.bincount(classes, minlength=self.num_classes)
        return np.append(counts, labels.size - classes.size)


def _loading_steps(dataset: Any) -> list[Any]:
    """Return the steps of a dataset's own pipeline that load label maps."""
    pipeline = getattr(dataset, 'pipeline', None)
    return [
        step
        for step in getattr(pipeline, 'transforms', ())
        # That of mmcv's LoadAnnotations, which no room below may import.
        if hasattr(step, '_load_seg_map')
    ]


def count_pixels(
    dataset: Any, num_classes: Optional[int] = None
) -> 'np.ndarray[Any, Any]':
    """Count the pixels of each class; each rank reads its share.

    Args:
        dataset: As in :class:`PixelCounter`.
        num_classes (int, optional): The class count C. Defaults to the
            classes in the dataset's metainfo.

    Returns:
        np.ndarray: Pixels per class of the whole dataset, int64 of shape
        (C, ), the same on all ranks.

    Raises:
        TypeError: As by :class:`PixelCounter`.
        ValueError: As by :class:`PixelCounter`, or if the dataset names no
            classes, or a label is neither a class nor ignored.
    """
    if num_classes is None:
        classes = getattr(dataset, 'metainfo', {}).get('classes')
        if not classes:
            raise ValueError(
                f'{type(dataset).__name__} names no classes; set '
                'metainfo=dict(classes=(...)) in its config'
            )
        num_classes = len(classes)
    counter = PixelCounter(dataset, num_classes)
    print_log(
        f'Counting the pixels of {num_classes} classes in {len(counter)} '
        'label maps, for the class prior; class_counts=[...] in the config '
        'of the loss or head skips this',
        logger='current',
    )
    rank, world_size = get_dist_info()
    pixels = np.zeros(num_classes, dtype=np.int64)
    # Threads are enough, since files are decoded without Python's lock, and a
    # training process that holds a GPU should not be forked.
    with ThreadPoolExecutor(min(_MAX_THREADS, os.cpu_count() or 1)) as pool:
        for counts in pool.map(counter, range(rank, len(counter), world_size)):
            pixels += counts[:-1]
    total = torch.from_numpy(pixels)
    all_reduce(total, 'sum')
    return total.numpy()


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
    if _loading_steps(part):
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
