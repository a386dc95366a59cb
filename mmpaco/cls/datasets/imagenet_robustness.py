"""The test sets of ImageNet that tell how robust a classifier is."""

import logging
from collections.abc import Sequence
from typing import Any, Optional

from mmengine.fileio import get_file_backend
from mmengine.logging import print_log
from mmpretrain.datasets import CustomDataset
from mmpretrain.datasets.categories import IMAGENET_CATEGORIES
from mmpretrain.datasets.custom import get_samples

from mmpaco.cls.corruptions import (
    CORRUPTIONS,
    SEVERITIES,
    chosen_corruptions,
    chosen_severities,
)
from mmpaco.cls.imagenet_classes import IMAGENET_R_CLASSES, WNIDS
from mmpaco.registry import DATASETS

from .image_list import loading_error

__all__ = ['ImageNetC', 'ImageNetR', 'ImageNetSketch']


class _ImageNetFolders(CustomDataset):
    """Folders of classes of ImageNet, named by their WordNet ids."""

    METAINFO = dict(classes=IMAGENET_CATEGORIES)
    CLASSES_THERE: Sequence[int] = range(len(WNIDS))
    # Published images of a folder of classes.
    IMAGES = 0

    def __init__(self, data_root: str = '', **kwargs: Any) -> None:
        kwargs.setdefault('test_mode', True)
        super().__init__(data_root=data_root, **kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Find the images.

        Returns:
            list[dict]: ``img_path`` and ``gt_label`` of each.
        """
        records = self._records(self.folder)
        self._tell_images({self.folder: len(records)})
        return records

    @property
    def folder(self) -> str:
        """Where the images are."""
        return str(self.img_prefix).rstrip('/')

    def prepare_data(self, idx: int) -> Any:
        """Load an image and run the pipeline on it.

        Args:
            idx (int): Its index.

        Returns:
            Any: What the pipeline returns.

        Raises:
            FileNotFoundError: If the image is missing.
            RuntimeError: If it cannot be loaded, or a transform fails.
        """
        try:
            return super().prepare_data(idx)
        except Exception as error:
            path = self.get_data_info(idx)['img_path']
            raise loading_error(path, error) from error

    def _records(self, folder: str, **facts: Any) -> list[dict[str, Any]]:
        """Find the images in the folders of the classes in a folder."""
        labels = {WNIDS[label]: label for label in self.CLASSES_THERE}
        self._check_classes(folder, _folders(folder), set(labels))
        backend = get_file_backend(folder, enable_singleton=True)
        found, _ = get_samples(folder, labels, self.is_valid_file, backend)
        if not found:
            raise ValueError(
                f'{folder} has folders of classes, but no image in them; '
                f'expected files of {", ".join(sorted(self.extensions))}'
            )
        return [
            dict(
                img_path=backend.join_path(folder, path),
                gt_label=label,
                **facts,
            )
            for path, label in found
        ]

    def _check_classes(
        self, folder: str, found: set[str], expected: set[str]
    ) -> None:
        if found == expected:
            return
        parts = [
            f'{text} {len(names)} folders, such as {min(names)}'
            for text, names in (
                ('lacks', expected - found),
                ('has beside them', found - expected),
            )
            if names
        ]
        raise ValueError(
            f'{folder} does not hold the {len(expected)} classes of '
            f'{type(self).__name__}, each in a folder named by its WordNet '
            f'id: it {" and ".join(parts)}. Unpack the published files there '
            '(docs/robustness.md), or set data_root'
        )

    def _tell_images(self, counts: dict[str, int]) -> None:
        wrong = {k: n for k, n in counts.items() if n != self.IMAGES}
        if wrong:
            folder, count = next(iter(wrong.items()))
            others = (
                f' and {len(wrong) - 1} more'
                if wrong.keys() - {folder}
                else ''
            )
            _tell(
                f'{folder} has {count} images, and not the {self.IMAGES} '
                f'that are published{others}: the figures are those of '
                'these images, and no others should be set beside them'
            )


@DATASETS.register_module()
class ImageNetR(_ImageNetFolders):
    r"""ImageNet-R: 30,000 renditions of 200 classes of ImageNet.

    Labels are those of the 1000 classes; ``mmpaco.SubsetAccuracy`` lets a
    classifier choose among the 200 alone. Another number of images than the
    published one is told.

    The Many Faces of Robustness, Hendrycks et al., ICCV 2021,
    https://arxiv.org/abs/2006.16241

    Args:
        data_root (str): Folder with a folder of JPEGs for each class, named
            by its WordNet id. Defaults to ''.
        **kwargs: Passed to mmpretrain's ``CustomDataset``: ``pipeline``,
            ``data_prefix``, ``indices``, ...

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it does not hold these classes, or no image.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from mmpaco.cls.imagenet_classes import IMAGENET_R_CLASSES, WNIDS
        >>> from mmpaco.registry import DATASETS
        >>> root = Path(tempfile.mkdtemp())
        >>> for label in IMAGENET_R_CLASSES:
        ...     (root / WNIDS[label]).mkdir()
        ...     (root / WNIDS[label] / 'art_0.jpg').touch()
        >>> dataset = DATASETS.build(
        ...     dict(type='mmpaco.ImageNetR', data_root=str(root)))
        >>> label = dataset.get_data_info(0)['gt_label']
        >>> len(dataset), label, dataset.metainfo['classes'][label]
        (200, 1, 'goldfish, Carassius auratus')
    """

    CLASSES_THERE = IMAGENET_R_CLASSES
    IMAGES = 30000


@DATASETS.register_module()
class ImageNetSketch(_ImageNetFolders):
    r"""ImageNet-Sketch: 50,889 drawings of the 1000 classes of ImageNet.

    Another number of images is told.

    Learning Robust Global Representations by Penalizing Local Predictive
    Power, Wang et al., NeurIPS 2019, https://arxiv.org/abs/1905.13549

    Args:
        data_root (str): Folder with a folder of JPEGs for each class, named
            by its WordNet id. Defaults to ''.
        **kwargs: Passed to mmpretrain's ``CustomDataset``: ``pipeline``,
            ``data_prefix``, ``indices``, ...

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it does not hold these classes, or no image.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from mmpaco.cls.datasets import ImageNetSketch
        >>> root = Path(tempfile.mkdtemp())
        >>> (root / 'n01440764').mkdir()
        >>> ImageNetSketch(data_root=str(root))
        Traceback (most recent call last):
            ...
        ValueError: ... does not hold the 1000 classes of ImageNetSketch, each
        in a folder named by its WordNet id: it lacks 999 folders, such as
        n01443537. ...
    """

    IMAGES = 50889


@DATASETS.register_module()
class ImageNetC(_ImageNetFolders):
    r"""ImageNet-C: the validation images of ImageNet, corrupted.

    Of each corruption and severity 50,000 images, all read in one pass. The
    data sample of each has ``corruption`` and ``severity``, by which
    ``mmpaco.CorruptionError`` measures. A corruption that is missing, and
    another number of images, are told.

    Benchmarking Neural Network Robustness to Common Corruptions and
    Perturbations, Hendrycks and Dietterich, ICLR 2019,
    https://arxiv.org/abs/1903.12261

    Args:
        data_root (str): Folder of the images, as
            ``corruption/severity/WordNet id/image``. Defaults to ''.
        corruptions (Sequence[str], optional): Which of the 15. Defaults to
            those that are there.
        severities (Sequence[int]): Which. Defaults to 1 to 5.
        **kwargs: Passed to mmpretrain's ``CustomDataset``: ``pipeline``,
            ``data_prefix``, ``indices``, ...

    Raises:
        FileNotFoundError: If a folder is missing.
        ValueError: If a choice is unknown, or a folder does not hold the
            classes of ImageNet, or no image.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from mmpaco.cls.imagenet_classes import WNIDS
        >>> from mmpaco.registry import DATASETS
        >>> root = Path(tempfile.mkdtemp())
        >>> for wnid in WNIDS:
        ...     (root / 'fog' / '3' / wnid).mkdir(parents=True)
        ...     (root / 'fog' / '3' / wnid / '0.JPEG').touch()
        >>> dataset = DATASETS.build(
        ...     dict(type='mmpaco.ImageNetC', data_root=str(root),
        ...          corruptions=['fog'], severities=[3]))
        >>> info = dataset.get_data_info(7)
        >>> len(dataset), info['corruption'], info['severity']
        (1000, 'fog', 3)
    """

    IMAGES = 50000

    def __init__(
        self,
        data_root: str = '',
        corruptions: Optional[Sequence[str]] = None,
        severities: Sequence[int] = SEVERITIES,
        **kwargs: Any,
    ) -> None:
        self.takes_what_is_there = corruptions is None
        self.corruptions = chosen_corruptions(corruptions)
        self.severities = chosen_severities(severities)
        super().__init__(data_root, **kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Find the images.

        Returns:
            list[dict]: ``img_path``, ``gt_label``, ``corruption`` and
            ``severity`` of each.
        """
        if self.takes_what_is_there:
            self.corruptions = self._find()
        records, counts = [], {}
        for corruption in self.corruptions:
            for severity in self.severities:
                folder = f'{self.folder}/{corruption}/{severity}'
                found = self._records(
                    folder, corruption=corruption, severity=severity
                )
                counts[folder] = len(found)
                records += found
        self._tell_images(counts)
        return records

    def prepare_data(self, idx: int) -> Any:
        """Load an image and run the pipeline on it.

        Args:
            idx (int): Its index.

        Returns:
            Any: What the pipeline returns; its data sample knows the
            corruption and the severity.

        Raises:
            FileNotFoundError: If the image is missing.
            RuntimeError: If it cannot be loaded, or a transform fails.
        """
        data = super().prepare_data(idx)
        # Whatever the pipeline packs.
        if isinstance(data, dict) and 'data_samples' in data:
            info = self.get_data_info(idx)
            data['data_samples'].set_metainfo(
                {key: info[key] for key in ('corruption', 'severity')}
            )
        return data

    def _find(self) -> tuple[str, ...]:
        found = _folders(self.folder)
        there = tuple(name for name in CORRUPTIONS if name in found)
        if not there:
            listed = ', '.join(sorted(found)[:5]) or 'no folder'
            raise ValueError(
                f'{self.folder} holds none of the corruptions '
                f'{", ".join(CORRUPTIONS)}, but {listed}; expected folders '
                'corruption/severity/WordNet id (docs/robustness.md)'
            )
        missing = [name for name in CORRUPTIONS if name not in found]
        if missing:
            _tell(
                f'{self.folder} lacks {", ".join(missing)}: every mean '
                f'is one over the other {len(there)} of {len(CORRUPTIONS)} '
                'corruptions, and not the published figure'
            )
        return there


def _folders(path: str) -> set[str]:
    backend = get_file_backend(path, enable_singleton=True)
    if not backend.isdir(path):
        raise FileNotFoundError(
            f'there is no folder {path!r}; unpack the images there '
            '(docs/robustness.md), or set data_root in the config'
        )
    return set(
        backend.list_dir_or_file(
            path, list_dir=True, list_file=False, recursive=False
        )
    )


def _tell(text: str) -> None:
    print_log(text, logger='current', level=logging.WARNING)
