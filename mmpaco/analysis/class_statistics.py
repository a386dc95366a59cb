"""How often each class occurs in a segmentation dataset."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmengine import fileio
from mmengine.config import Config
from mmseg.registry import DATASETS
from rich.progress import track

from mmpaco.engine.image_files import ImageFacts, check_pair, decode_image
from mmpaco.engine.pixel_counts import PixelCounter
from mmpaco.files import PathLike, write_text
from mmpaco.runner.config_files import read_config
from mmpaco.runner.processes import map_in_processes

__all__ = [
    'ClassStatistics',
    'class_statistics',
    'dataset_from_config',
]

_SPLITS = ('train', 'val', 'test')
# Of datasets, heads and metrics of mmseg that are not told another.
_IGNORED = 255
_LOAD = LoadImageFromFile.transform


@dataclass
class ClassStatistics:
    """Images and pixels of each class.

    Args:
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
        TypeError: If the config is not one of mmseg.
        ValueError: If the split is unknown or the config has none, or what
            learns from the labels ignores others than the dataset.
    """
    if split not in _SPLITS:
        raise ValueError(f'split must be one of {_SPLITS}, but got {split!r}')
    cfg = read_config(config, 'mmseg')
    loader = cfg.get(f'{split}_dataloader')
    if not loader:
        raise ValueError(
            f'{config} has no {split}_dataloader; set it, or choose another '
            f'split of {_SPLITS}'
        )
    dataset = DATASETS.build(loader.dataset)
    _check_ignored(cfg, split, dataset)
    return dataset


def _check_ignored(cfg: Config, split: str, dataset: Any) -> None:
    """Compare what is ignored by the dataset and by who sees its labels."""
    model = cfg.get('model') or {}
    found = (
        [model.get('decode_head'), model.get('auxiliary_head')]
        if split == 'train'
        else [cfg.get(f'{split}_evaluator')]
    )
    users = [
        user
        for one in found
        for user in (one if isinstance(one, (list, tuple)) else [one])
        if user
    ]
    while hasattr(dataset, 'dataset') or hasattr(dataset, 'datasets'):
        inner = getattr(dataset, 'dataset', None)
        dataset = dataset.datasets[0] if inner is None else inner
    known = getattr(dataset, 'ignore_index', _IGNORED)
    for user in users:
        ignored = user.get('ignore_index', _IGNORED)
        if ignored != known:
            raise ValueError(
                f'{type(dataset).__name__} has ignore_index={known}, but '
                f'{user.get("type")} ignores {ignored}; give both the same '
                'ignore_index in the config'
            )


class _Checker:
    """Counts the pixels of a label map, and looks at its image as well."""

    def __init__(self, counter: PixelCounter) -> None:
        self.counter = counter

    def __call__(self, index: int) -> 'np.ndarray[Any, Any]':
        dataset, info, labels = self.counter.read(index)
        for step in dataset.pipeline.transforms:
            # That of a subclass may take what is in memory.
            if getattr(type(step), 'transform', None) is _LOAD:
                self._check_image(step, info, labels.shape)
        return self.counter.count(dataset, info, labels)

    def _check_image(
        self, step: Any, info: dict[str, Any], size: tuple[int, ...]
    ) -> None:
        path = info['img_path']
        content = fileio.get(path, backend_args=step.backend_args)
        if step.imdecode_backend == 'tifffile':
            # These have colours that Pillow does not know.
            orientation = 1
        else:
            orientation = decode_image(path, content).orientation
        try:
            image = step(info)['img']
        except Exception as error:
            raise ValueError(
                f'{path} cannot be loaded as by the pipeline: {error}'
            ) from error
        turns = step.color_type in ('color', 'grayscale')
        facts = ImageFacts(image.shape[:2], orientation if turns else 1)
        check_pair(path, facts, info['seg_map_path'], size)


def class_statistics(
    dataset: Any,
    nproc: Optional[int] = None,
    progress: bool = True,
    check_images: bool = True,
) -> ClassStatistics:
    """Count images and pixels of each class, and check the files.

    The label maps are read as training reads them, by ``PixelCounter``. So
    are the images, if the pipeline loads them: each must be whole, and as
    large as its label map, on which it must lie when its EXIF orientation has
    turned it.

    Args:
        dataset: A dataset of mmseg, or a wrapper of such.
        nproc (int, optional): Processes. Defaults to the number of cores.
        progress (bool): Whether to show a progress bar. Defaults to True.
        check_images (bool): Whether to read the images. Defaults to True.

    Returns:
        ClassStatistics: The statistics.

    Raises:
        FileNotFoundError: If a label map or an image is missing.
        TypeError: If the dataset is not one of mmseg or loads no labels.
        ValueError: If it is empty, has no classes, a label map holds a label
            that is neither a class nor ignored, or something else than class
            ids, or an image is damaged or does not lie on its label map.
    """
    classes = dataset.metainfo.get('classes')
    if not classes:
        raise ValueError(
            f'{type(dataset).__name__} names no classes; set '
            'metainfo=dict(classes=(...)) in its config'
        )
    counter = PixelCounter(dataset, len(classes))
    counts: Iterable[Any] = map_in_processes(
        _Checker(counter) if check_images else counter,
        range(len(counter)),
        nproc,
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
