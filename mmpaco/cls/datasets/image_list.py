"""Datasets whose images and labels are named in a list file."""

import io
import pickle
from collections.abc import Iterator
from typing import Any, NamedTuple, Optional

import numpy as np
from mmengine.dataset import force_full_init
from mmengine.fileio import get_file_backend
from mmpretrain.datasets import BaseDataset
from mmpretrain.datasets.categories import IMAGENET_CATEGORIES

from mmpaco.registry import DATASETS

from .image_list_reader import ImageList, read_image_list

__all__ = [
    'ImageListDataset',
    'ImageNetLT',
    'ListFacts',
    'PlacesLT',
    'PublishedDataset',
    'loading_error',
]


def loading_error(path: str, error: Exception, place: str = '') -> Exception:
    """Name the image that a pipeline failed on.

    Args:
        path (str): Its file.
        error (Exception): What the pipeline raised.
        place (str): What is said before. Defaults to ''.

    Returns:
        Exception: A ``FileNotFoundError`` if that is one, else a
        ``RuntimeError``.
    """
    missing = isinstance(error, FileNotFoundError)
    # Decoders see bytes and cannot tell which file they came from.
    return (FileNotFoundError if missing else RuntimeError)(
        f'{place}{path} cannot be loaded or transformed: '
        f'{type(error).__name__}: {error}'
    )


@DATASETS.register_module()
class ImageListDataset(BaseDataset):
    """Images named in a list file, ``relative/path label`` in each line.

    The list is checked when it is read. With ``test_mode=False`` and a known
    number of classes every class needs an image, since a class prior of
    training images has no place for one without.
    ``tools/dataset_converters/check_list.py`` opens the images as well.

    Args:
        ann_file (str): The list, under ``data_root`` if relative.
        num_classes (int, optional): The class count. Defaults to that of the
            class names in ``classes`` or ``metainfo``; without those, too,
            labels have no upper limit. Without names, classes are named by
            their labels.
        lazy_init (bool): Whether to read the list only when it is needed.
            Defaults to False.
        **kwargs: Passed to mmpretrain's ``BaseDataset``: ``data_root``,
            ``data_prefix`` (the folder from which the paths start, under
            ``data_root`` if relative), ``classes``, ``metainfo``,
            ``pipeline``, ``test_mode``, ``indices``, ...

    Raises:
        FileNotFoundError: If there is no such list.
        ValueError: If the list has problems, or ``num_classes`` is not the
            number of class names.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> from mmpaco.registry import DATASETS
        >>> root = Path(tempfile.mkdtemp())
        >>> Image.new('RGB', (40, 30)).save(root / 'cat.png')
        >>> Image.new('RGB', (20, 10)).save(root / 'dog.png')
        >>> _ = (root / 'train.txt').write_text('''
        ... cat.png 0
        ... dog.png 1''')
        >>> dataset = DATASETS.build(dict(
        ...     type='mmpaco.ImageListDataset', data_root=str(root),
        ...     ann_file='train.txt', classes=['cat', 'dog'],
        ...     pipeline=[dict(type='LoadImageFromFile')]))
        >>> dataset[1]['img'].shape, dataset[1]['gt_label']
        ((10, 20, 3), 1)
    """

    def __init__(
        self,
        ann_file: str,
        num_classes: Optional[int] = None,
        lazy_init: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(ann_file, lazy_init=True, **kwargs)
        if num_classes is not None:
            names = self._metainfo.setdefault(
                'classes', tuple(str(label) for label in range(num_classes))
            )
            if len(names) != num_classes:
                raise ValueError(
                    f'num_classes={num_classes}, but {len(names)} class names '
                    'are given; they must be equal'
                )
        if not lazy_init:
            self.full_init()

    def load_data_list(self) -> list[dict[str, Any]]:
        """Read the list.

        Returns:
            list[dict]: ``img_path`` and ``gt_label`` of each image.
        """
        listed = self._read_list()
        return [
            dict(img_path=path, gt_label=label)
            for path, label in zip(
                self._img_paths(listed), listed.labels.tolist()
            )
        ]

    def _img_paths(self, listed: ImageList) -> Iterator[str]:
        # Found once: to infer it from each path would take most of the time.
        backend = get_file_backend(self.img_prefix, enable_singleton=True)
        return (
            backend.join_path(self.img_prefix, path) for path in listed.paths
        )

    def _read_list(self) -> ImageList:
        classes = self.CLASSES
        listed = read_image_list(
            self.ann_file,
            None if classes is None else len(classes),
            every_class=not self.test_mode,
        )
        listed.raise_problems()
        return listed

    @force_full_init
    def get_gt_labels(self) -> np.ndarray:
        """Get the label of every image.

        Returns:
            np.ndarray: int64 of shape (N, ).
        """
        if self.serialize_data:
            # One stream of records: several times faster than one by one.
            stream = io.BytesIO(self.data_bytes)
            records = (pickle.load(stream) for _ in range(len(self)))
        else:
            records = iter(self.data_list)
        labels = (record['gt_label'] for record in records)
        return np.fromiter(labels, np.int64, len(self))

    def prepare_data(self, idx: int) -> Any:
        """Load an image and run the pipeline on it.

        Args:
            idx (int): Its index.

        Returns:
            Any: What the pipeline returns.

        Raises:
            FileNotFoundError: If the image is missing.
            RuntimeError: If it cannot be loaded, or a transform fails. Both
                name the image and its line in the list.
        """
        try:
            return super().prepare_data(idx)
        except Exception as error:
            path = self.get_data_info(idx)['img_path']
            raise loading_error(
                path, error, f'{self._line_of(path)}: '
            ) from error

    def _line_of(self, img_path: str) -> str:
        """Return ``file:line`` of an image, from the list read once more."""
        file: str = self.ann_file
        listed = read_image_list(file)
        for path, line in zip(self._img_paths(listed), listed.lines.tolist()):
            if path == img_path:
                return f'{file}:{line}'
        return file


class ListFacts(NamedTuple):
    """What is published about the list of a split.

    Args:
        ann_file (str): Name of the list.
        images (int): Number of images.
        largest (int, optional): Images of the largest class.
        smallest (int, optional): Images of the smallest class.
    """

    ann_file: str
    images: int
    largest: Optional[int]
    smallest: Optional[int]


class PublishedDataset(ImageListDataset):
    """Compares the list with what is published about it."""

    SPLITS: dict[str, ListFacts] = {}

    def __init__(
        self,
        data_root: str = '',
        split: str = 'train',
        ann_file: str = '',
        **kwargs: Any,
    ) -> None:
        if split not in self.SPLITS:
            raise ValueError(
                f'split must be one of {", ".join(self.SPLITS)}, but got '
                f'{split!r}'
            )
        self.split = split
        super().__init__(
            ann_file or self.SPLITS[split].ann_file,
            num_classes=len(self.METAINFO['classes']),
            data_root=data_root,
            **kwargs,
        )

    def _read_list(self) -> ImageList:
        listed = super()._read_list()
        counts = np.bincount(listed.labels, minlength=len(self.CLASSES))
        facts = self.SPLITS[self.split]
        wrong = [
            f'{what} {found}, expected {expected}'
            for what, found, expected in (
                ('images', len(listed.paths), facts.images),
                ('images of the largest class', counts.max(), facts.largest),
                ('images of the smallest', counts.min(), facts.smallest),
            )
            if expected not in (None, found)
        ]
        if wrong:
            raise ValueError(
                f'{self.ann_file} is not the list of {type(self).__name__}, '
                f'split {self.split}: {"; ".join(wrong)}. Get the published '
                'list (docs/datasets.md), or use mmpaco.ImageListDataset for '
                'one of your own'
            )
        return listed


@DATASETS.register_module()
class ImageNetLT(PublishedDataset):
    r"""ImageNet-LT: 1000 classes in the order of their WordNet ids.

    115,846 images to train, 1280 to 5 of a class, 20 of each to validate and
    50 of each to test. The paths of the lists start in ``train`` and
    ``val``, both with a folder for each class.

    Args:
        data_root (str): Folder of the lists and images. Defaults to ''.
        split (str): 'train', 'val' or 'test'. Defaults to 'train'.
        ann_file (str): The list. Defaults to ``ImageNet_LT_{split}.txt``.
        **kwargs: Passed to :class:`ImageListDataset`.

    Raises:
        FileNotFoundError: If there is no such list.
        ValueError: If the list is not the published one.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from mmpaco.registry import DATASETS
        >>> root = Path(tempfile.mkdtemp())
        >>> lines = [f'val/{i}.JPEG {i // 20}' for i in range(20000)]
        >>> _ = (root / 'ImageNet_LT_val.txt').write_text('\n'.join(lines))
        >>> cfg = dict(type='mmpaco.ImageNetLT', split='val')
        >>> dataset = DATASETS.build(dict(cfg, data_root=str(root)))
        >>> label = dataset.get_data_info(20)['gt_label']
        >>> len(dataset), dataset.metainfo['classes'][label]
        (20000, 'goldfish, Carassius auratus')
    """

    METAINFO = dict(classes=IMAGENET_CATEGORIES)
    SPLITS = dict(
        train=ListFacts('ImageNet_LT_train.txt', 115846, 1280, 5),
        val=ListFacts('ImageNet_LT_val.txt', 20000, 20, 20),
        test=ListFacts('ImageNet_LT_test.txt', 50000, 50, 50),
    )


@DATASETS.register_module()
class PlacesLT(PublishedDataset):
    r"""Places-LT: 365 classes in alphabetical order, named by their labels.

    62,500 images to train, 4980 to 5 of a class, 20 of each to validate and
    100 of each to test. The papers say 184.5K, but train with this list.

    Args:
        data_root (str): Folder of the lists and images. Defaults to ''.
        split (str): 'train', 'val' or 'test'. Defaults to 'train'.
        ann_file (str): The list. Defaults to ``Places_LT_{split}.txt``.
        **kwargs: Passed to :class:`ImageListDataset`.

    Raises:
        FileNotFoundError: If there is no such list.
        ValueError: If the list is not the published one.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from mmpaco.cls.datasets import PlacesLT
        >>> root = Path(tempfile.mkdtemp())
        >>> lines = [f'val/{label}.jpg {label}' for label in range(365)]
        >>> _ = (root / 'Places_LT_val.txt').write_text('\n'.join(lines))
        >>> PlacesLT(data_root=str(root), split='val')
        Traceback (most recent call last):
            ...
        ValueError: ... is not the list of PlacesLT, split val: images 365,
        expected 7300; ...
    """

    METAINFO = dict(classes=tuple(str(label) for label in range(365)))
    SPLITS = dict(
        train=ListFacts('Places_LT_train.txt', 62500, 4980, 5),
        val=ListFacts('Places_LT_val.txt', 7300, 20, 20),
        test=ListFacts('Places_LT_test.txt', 36500, 100, 100),
    )
