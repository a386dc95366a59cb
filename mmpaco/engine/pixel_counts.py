"""Training pixels per class of a segmentation dataset."""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Optional

import numpy as np
import torch
from mmengine.dist import all_reduce, get_dist_info
from mmengine.logging import print_log

from .image_files import load_label_map
from .wrapped_datasets import through_wrappers

_MAX_THREADS = 8


def loading_steps(dataset: Any) -> list[Any]:
    """Give the steps of a dataset's own pipeline that load label maps.

    Args:
        dataset: Any dataset.

    Returns:
        list: The steps, none for a dataset without label maps.
    """
    pipeline = getattr(dataset, 'pipeline', None)
    return [
        step
        for step in getattr(pipeline, 'transforms', ())
        # That of mmcv's LoadAnnotations, which no room below may import.
        if hasattr(step, '_load_seg_map')
    ]


class PixelCounter:
    """Counts the pixels of each class, one label map after the other.

    The label maps are read as training reads them, by the step of the
    dataset's pipeline that loads them, with its ``reduce_zero_label`` and its
    label map, at the size of the files. No image is read. Wrappers count as
    in :func:`~mmpaco.engine.class_counts.dataset_labels`.

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
        self._places = through_wrappers(dataset, self._read)

    def _read(self, part: Any) -> 'Optional[np.ndarray[Any, Any]]':
        steps = loading_steps(part)
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
