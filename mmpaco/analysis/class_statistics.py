"""How often each class occurs in a segmentation dataset."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS
from rich.progress import track

from mmpaco.engine.class_counts import PixelCounter
from mmpaco.files import PathLike, write_text
from mmpaco.runner.processes import map_in_processes

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


def class_statistics(
    dataset: Any, nproc: Optional[int] = None, progress: bool = True
) -> ClassStatistics:
    """Count images and pixels of each class.

    The label maps are read as training reads them, by ``PixelCounter``. No
    image is read.

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
    classes = dataset.metainfo.get('classes')
    if not classes:
        raise ValueError(
            f'{type(dataset).__name__} names no classes; set '
            'metainfo=dict(classes=(...)) in its config'
        )
    counter = PixelCounter(dataset, len(classes))
    counts: Iterable[Any] = map_in_processes(
        counter, range(len(counter)), nproc
    )
    if progress:
        counts = track(counts, 'Counting', total=len(counter))
    images = np.zeros(len(classes), dtype=np.int64)
    pixels = np.zeros(len(classes) + 1, dtype=np.int64)
    for count in counts:
        images += count[:-1] > 0
        pixels += count
    return ClassStatistics(
        classes=list(classes),
        images=images,
        pixels=pixels[:-1],
        num_images=len(counter),
        ignored_pixels=int(pixels[-1]),
    )
