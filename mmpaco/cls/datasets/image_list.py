"""Datasets whose images and labels are named in a list file."""

import io
import pickle
from typing import Any, Optional

import numpy as np
from mmengine.dataset import force_full_init
from mmengine.fileio import get_file_backend
from mmpretrain.datasets import BaseDataset

from mmpaco.registry import DATASETS

from .image_list_reader import ImageList, read_image_list

__all__ = ['ImageListDataset']


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

    def load_data_list(self) -> list[dict]:
        """Read the list.

        Returns:
            list[dict]: ``img_path`` and ``gt_label`` of each image.
        """
        listed = self._read_list()
        # Found once: to infer it from each path would take most of the time.
        backend = get_file_backend(self.img_prefix, enable_singleton=True)
        return [
            dict(
                img_path=backend.join_path(self.img_prefix, path),
                gt_label=label,
            )
            for path, label in zip(listed.paths, listed.labels.tolist())
        ]

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
            RuntimeError: If it cannot be loaded, or a transform fails.
        """
        try:
            return super().prepare_data(idx)
        except Exception as error:
            path = self.get_data_info(idx)['img_path']
            # Decoders see bytes and cannot tell which file they came from.
            if path in str(error):
                raise
            raise RuntimeError(
                f'{path} cannot be loaded or transformed: '
                f'{type(error).__name__}: {error}'
            ) from error
