"""How often each class occurs in a segmentation dataset."""

import json
import multiprocessing
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Optional

import cv2
import numpy as np
from mmcv.transforms import LoadAnnotations
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS
from rich.progress import track

from mmpaco.files import PathLike, write_text

__all__ = [
    'ClassStatistics',
    'class_statistics',
    'dataset_from_config',
]

_SPLITS = ('train', 'val', 'test')


@dataclass
class ClassStatistics:
    """Images and pixels of each class.

    Attributes:
        classes (list[str]): Names of the C classes.
        images (np.ndarray): Images in which each class occurs, int64 of shape
            (C, ).
        pixels (np.ndarray): Pixels of each class, int64 of shape (C, ).
        num_images (int): Images of the dataset.
        ignored_pixels (int): Pixels of no class.
    """

    classes: list[str]
    images: 'np.ndarray[Any, Any]'
    pixels: 'np.ndarray[Any, Any]'
    num_images: int
    ignored_pixels: int

    def to_dict(self) -> dict[str, Any]:
        """Return the same as plain lists and numbers."""
        return {
            'num_images': self.num_images,
            'ignored_pixels': self.ignored_pixels,
            'classes': list(self.classes),
            'images': self.images.tolist(),
            'pixels': self.pixels.tolist(),
        }

    def write(self, path: PathLike) -> None:
        """Write the statistics as JSON.

        Args:
            path: File to write.
        """
        text = json.dumps(self.to_dict(), indent=2)
        write_text(path, text + '\n')


def dataset_from_config(config: PathLike, split: str = 'train') -> Any:
    """Build a dataset of an mmseg config.

    Args:
        config: Path of the config.
        split: 'train', 'val' or 'test'. Defaults to 'train'.

    Returns:
        The dataset.

    Raises:
        ValueError: If the split is unknown or the config has none.
    """
    if split not in _SPLITS:
        raise ValueError(f'split must be one of {_SPLITS}, but got {split!r}')
    cfg = Config.fromfile(config)
    init_default_scope(cfg.get('default_scope') or 'mmseg')
    loader = cfg.get(f'{split}_dataloader')
    if not loader:
        raise ValueError(
            f'{config} has no {split}_dataloader; set it, or choose another '
            f'split of {_SPLITS}'
        )
    return DATASETS.build(loader.dataset)


def _parts(dataset: Any) -> Iterator[BaseSegDataset]:
    """Yield the datasets inside of wrappers, each once.

    A wrapper that repeats or resamples counts as what it wraps.
    """
    if hasattr(dataset, 'datasets'):
        for part in dataset.datasets:
            yield from _parts(part)
    elif hasattr(dataset, 'dataset'):
        yield from _parts(dataset.dataset)
    elif isinstance(dataset, BaseSegDataset):
        yield dataset
    else:
        raise TypeError(
            f'expected a dataset of mmseg (BaseSegDataset) or a wrapper of '
            f'such, but got {type(dataset).__name__}'
        )


class _Counter:
    """Reads the label map of an image as the pipeline does."""

    def __init__(self, dataset: BaseSegDataset, num_classes: int) -> None:
        self.dataset = dataset
        self.num_classes = num_classes
        self.loads = [
            step
            for step in dataset.pipeline.transforms
            if isinstance(step, LoadAnnotations)
        ]
        if len(self.loads) != 1:
            raise TypeError(
                f'the pipeline of {type(dataset).__name__} must have one '
                f'LoadAnnotations, but has {len(self.loads)}; without it the '
                'labels cannot be read'
            )

    def __call__(self, index: int) -> 'np.ndarray[Any, Any]':
        """Return pixels of each class, and ignored ones in the last place."""
        info = self.dataset.get_data_info(index)
        labels = self.loads[0](info)['gt_seg_map']
        counts = np.bincount(labels.ravel(), minlength=256)
        ignored = int(counts[self.dataset.ignore_index])
        counts[self.dataset.ignore_index] = 0
        if counts[self.num_classes :].any():
            wrong = np.flatnonzero(counts)
            raise ValueError(
                f'{info["seg_map_path"]} holds the labels '
                f'{wrong[wrong >= self.num_classes].tolist()}, but there are '
                f'{self.num_classes} classes and '
                f'{self.dataset.ignore_index} is ignored; convert the '
                'annotations, or set reduce_zero_label if 0 is void'
            )
        return np.append(counts[: self.num_classes], ignored)


_counters: list[_Counter] = []


def _prepare(counters: list[_Counter]) -> None:
    cv2.setNumThreads(0)
    _counters[:] = counters


def _count(job: tuple[int, int]) -> 'np.ndarray[Any, Any]':
    part, index = job
    return _counters[part](index)


def _counts(
    counters: list[_Counter], jobs: list[tuple[int, int]], nproc: int
) -> Iterator['np.ndarray[Any, Any]']:
    if nproc == 1:
        for part, index in jobs:
            yield counters[part](index)
        return
    with multiprocessing.Pool(nproc, _prepare, (counters,)) as pool:
        yield from pool.imap_unordered(_count, jobs, chunksize=8)


def class_statistics(
    dataset: Any, nproc: Optional[int] = None, progress: bool = True
) -> ClassStatistics:
    """Count images and pixels of each class.

    The label maps are read as training reads them, through the dataset's
    ``LoadAnnotations``: with its ``reduce_zero_label`` and its label map, at
    the size of the files. No image is read.

    Args:
        dataset: A dataset of mmseg, or a wrapper of such.
        nproc (int, optional): Processes. Defaults to the number of cores.
        progress (bool): Whether to show a progress bar. Defaults to True.

    Returns:
        ClassStatistics: The statistics.

    Raises:
        FileNotFoundError: If a label map is missing.
        TypeError: If the dataset is not one of mmseg or loads no labels.
        ValueError: If it is empty, has no classes, or a label map holds a
            label that is neither a class nor ignored.
    """
    if nproc is not None and nproc < 1:
        raise ValueError(f'nproc must be at least 1, but got {nproc}')
    classes = dataset.metainfo.get('classes')
    if not classes:
        raise ValueError(
            f'{type(dataset).__name__} names no classes; set '
            'metainfo=dict(classes=(...)) in its config'
        )
    counters = [_Counter(part, len(classes)) for part in _parts(dataset)]
    jobs = [
        (number, index)
        for number, counter in enumerate(counters)
        for index in range(len(counter.dataset))
    ]
    if not jobs:
        raise ValueError(
            f'{type(dataset).__name__} is empty; check its data_root, '
            'data_prefix, ann_file and img_suffix'
        )
    counts: Iterable[Any] = _counts(
        counters, jobs, min(nproc or os.cpu_count() or 1, len(jobs))
    )
    if progress:
        counts = track(counts, 'Counting', total=len(jobs))
    images = np.zeros(len(classes), dtype=np.int64)
    pixels = np.zeros(len(classes) + 1, dtype=np.int64)
    for count in counts:
        images += count[:-1] > 0
        pixels += count
    return ClassStatistics(
        classes=list(classes),
        images=images,
        pixels=pixels[:-1],
        num_images=len(jobs),
        ignored_pixels=int(pixels[-1]),
    )
