"""A long-tailed subset of any classification dataset."""

import copy
from collections.abc import Sequence
from typing import Any, Optional, Union

import numpy as np
from mmengine.dataset import BaseDataset, force_full_init

from mmpaco.engine.class_counts import count_labels, dataset_labels
from mmpaco.registry import DATASETS

from .tail_counts import check_tail, counts_from


@DATASETS.register_module()
class LongTailedDataset:
    r"""A long-tailed subset of a classification dataset.

    Args:
        dataset (BaseDataset | dict): Any dataset of mmpretrain's, or its
            config.
        profile (str): 'exp', 'step' or 'pareto', see
            :func:`~.tail_counts.long_tailed_counts`. Defaults to 'exp'.
        factor (float): Imbalance factor, images of the largest class over
            those of the smallest. Defaults to 100.
        seed (int): Seed of what is drawn. Defaults to 0.
        shuffle_classes (bool): Whether the seed draws which classes are
            frequent, too. Defaults to False: the first class is the head.
        held_out (int): If positive, the dataset is not the long-tailed part,
            but at most this many of the other images of each class: a
            validation set. Defaults to 0.
        largest (int, optional): Images of the head class. Defaults to those
            of the largest class of the dataset. Where the dataset is not
            balanced, it says with how many its other classes keep up.

    Raises:
        TypeError: If the dataset is not a ``BaseDataset`` or has no labels.
        ValueError: If the dataset is empty, an argument is out of range, or a
            class has fewer images than its share; what the images suffice for
            is told.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from mmpaco.engine.class_counts import count_labels
        >>> from mmpaco.registry import DATASETS
        >>> path = Path(tempfile.mkdtemp()) / 'balanced.txt'
        >>> lines = [f'{i}.jpg {i % 5}' for i in range(500)]
        >>> _ = path.write_text('\n'.join(lines))
        >>> cfg = dict(type='mmpaco.ImageListDataset', ann_file=str(path))
        >>> dataset = DATASETS.build(
        ...     dict(type='mmpaco.LongTailedDataset', dataset=cfg, factor=10))
        >>> count_labels(dataset).tolist()
        [100, 56, 31, 17, 10]
    """

    def __init__(
        self,
        dataset: Union[BaseDataset, dict[str, Any]],
        profile: str = 'exp',
        factor: float = 100,
        seed: int = 0,
        shuffle_classes: bool = False,
        held_out: int = 0,
        largest: Optional[int] = None,
    ) -> None:
        lazy_init = False
        if isinstance(dataset, dict):
            lazy_init = dataset.get('lazy_init', False)
            dataset = DATASETS.build(dataset)
        elif isinstance(dataset, BaseDataset):
            # Not by get_subset: in mmengine 0.10.7 its copy of a pipeline may
            # get a part of another one, that was at the same address before.
            dataset = copy.deepcopy(dataset)
        if not isinstance(dataset, BaseDataset):
            raise TypeError(
                'LongTailedDataset takes a dataset that has its '
                'images itself (mmengine.dataset.BaseDataset), '
                f'but got {type(dataset).__name__}'
            )
        if held_out < 0:
            raise ValueError(
                f'held_out must not be negative, but got {held_out}'
            )
        if largest is not None and not largest >= 1:
            raise ValueError(
                'largest, the images of the head class, must be positive, or '
                f'None for those of the largest class, but got {largest}'
            )
        # A wrong profile or factor is told before any data are read.
        check_tail(profile, factor)
        self.dataset = dataset
        self.profile = profile
        self.factor = factor
        self.seed = seed
        self.shuffle_classes = shuffle_classes
        self.held_out = held_out
        self.largest = largest
        self._metainfo = dataset.metainfo
        self._fully_initialized = False
        if not lazy_init:
            self.full_init()

    @property
    def metainfo(self) -> dict[str, Any]:
        """Meta information of the dataset."""
        return copy.deepcopy(self._metainfo)

    def full_init(self) -> None:
        """Read the dataset and draw the subset."""
        if self._fully_initialized:
            return
        self.dataset.full_init()
        self.dataset.get_subset_(self._draw())
        self._fully_initialized = True

    def _draw(self) -> list[int]:
        available = count_labels(self.dataset)
        labels = dataset_labels(self.dataset)
        rng = np.random.default_rng(self.seed)
        classes = np.arange(len(available))
        if self.shuffle_classes:
            rng.shuffle(classes)
        counts = counts_from(
            available, self.profile, self.factor, self.largest, classes
        )
        chosen: list[int] = []
        for category, count in zip(classes, counts):
            images = rng.permutation(np.flatnonzero(labels == category))
            if self.held_out:
                chosen.extend(images[count : count + self.held_out])
            else:
                chosen.extend(images[:count])
        if not chosen:
            raise ValueError(
                'the long tail takes all images, none is left '
                'to hold out; use a larger factor'
            )
        return sorted(int(i) for i in chosen)

    @force_full_init
    def get_subset_(self, indices: Union[int, Sequence[int]]) -> None:
        """Keep a part of the images.

        Args:
            indices (int | Sequence[int]): Their indices, or how many of the
                first, or of the last if it is negative.
        """
        self.dataset.get_subset_(indices)

    @force_full_init
    def get_subset(
        self, indices: Union[int, Sequence[int]]
    ) -> 'LongTailedDataset':
        """Give a part of the images, as ``KFoldDataset`` asks for.

        Args:
            indices (int | Sequence[int]): As in :meth:`get_subset_`.

        Returns:
            LongTailedDataset: A dataset of its own.
        """
        subset = copy.copy(self)
        subset.dataset = copy.deepcopy(self.dataset)
        subset.get_subset_(indices)
        return subset

    @force_full_init
    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Get the annotation of an image.

        Args:
            idx (int): Its index.

        Returns:
            dict: The annotation.
        """
        info: dict[str, Any] = self.dataset.get_data_info(idx)
        return info

    @force_full_init
    def get_gt_labels(self) -> np.ndarray:
        """Get the class label of every image."""
        return dataset_labels(self.dataset)

    @force_full_init
    def get_cat_ids(self, idx: int) -> list[int]:
        """Get the classes of an image.

        Args:
            idx (int): Its index.

        Returns:
            list[int]: The one class.
        """
        classes: list[int] = self.dataset.get_cat_ids(idx)
        return classes

    @force_full_init
    def __len__(self) -> int:
        return len(self.dataset)

    @force_full_init
    def __getitem__(self, idx: int) -> Optional[Any]:
        return self.dataset[idx]
