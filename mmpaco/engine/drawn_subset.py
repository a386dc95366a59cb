"""Datasets of which a part is drawn."""

import copy
from collections.abc import Sequence
from typing import Any, TypeVar, Union

from mmengine.dataset import BaseDataset, force_full_init

from mmpaco.registry import DATASETS

_Subset = TypeVar('_Subset', bound='DrawnSubset')


class DrawnSubset:
    """Base of the wrappers that keep a drawn part of a dataset.

    A subclass draws in :meth:`draw`, and calls :meth:`begin` when it knows
    all that it needs for that.

    Args:
        dataset (BaseDataset | dict): Any dataset of mmpretrain or mmseg, or
            its config; it is read when it is needed if that says
            ``lazy_init``.

    Raises:
        TypeError: If it does not have its images itself.

    Example:
        >>> from mmengine.dataset import BaseDataset
        >>> from mmpaco.engine.drawn_subset import DrawnSubset
        >>> class Numbers(BaseDataset):
        ...     def load_data_list(self):
        ...         return [dict(number=i) for i in range(9)]
        >>> class Even(DrawnSubset):
        ...     def draw(self):
        ...         return list(range(0, len(self.dataset), 2))
        >>> even = Even(Numbers(serialize_data=False))
        >>> even.begin()
        >>> [x['number'] for x in even]
        [0, 2, 4, 6, 8]
    """

    def __init__(self, dataset: Union[BaseDataset, dict[str, Any]]) -> None:
        self._is_lazy = False
        if isinstance(dataset, dict):
            self._is_lazy = bool(dataset.get('lazy_init', False))
            dataset = DATASETS.build(dataset)
        elif isinstance(dataset, (BaseDataset, DrawnSubset)):
            # Not by get_subset: in mmengine 0.10.7 its copy of a pipeline may
            # get a part of another one, that was at the same address before.
            dataset = copy.deepcopy(dataset)
        if not isinstance(dataset, (BaseDataset, DrawnSubset)):
            raise TypeError(
                f'{type(self).__name__} takes a dataset that has its images '
                'itself (mmengine.dataset.BaseDataset), but got '
                f'{type(dataset).__name__}; put it inside of that'
            )
        self.dataset = dataset
        self._metainfo = dataset.metainfo
        self._fully_initialized = False

    def begin(self) -> None:
        """Read the dataset and draw, unless that is to wait."""
        if not self._is_lazy:
            self.full_init()

    def draw(self) -> list[int]:
        """Choose images of the dataset, which has been read.

        Returns:
            list[int]: Their indices.
        """
        raise NotImplementedError(
            f'{type(self).__name__} must have a method draw'
        )

    @property
    def metainfo(self) -> dict[str, Any]:
        """Meta information of the dataset."""
        return copy.deepcopy(self._metainfo)

    def full_init(self) -> None:
        """Read the dataset and draw the subset."""
        if self._fully_initialized:
            return
        self.dataset.full_init()
        self.dataset.get_subset_(self.draw())
        self._fully_initialized = True

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
        self: _Subset, indices: Union[int, Sequence[int]]
    ) -> _Subset:
        """Give a part of the images, as ``KFoldDataset`` asks for.

        Args:
            indices (int | Sequence[int]): As in :meth:`get_subset_`.

        Returns:
            DrawnSubset: A dataset of its own.
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
    def get_cat_ids(self, idx: int) -> list[int]:
        """Get the classes of an image.

        Args:
            idx (int): Its index.

        Returns:
            list[int]: The classes.
        """
        classes: list[int] = self.dataset.get_cat_ids(idx)
        return classes

    @force_full_init
    def __len__(self) -> int:
        return len(self.dataset)

    @force_full_init
    def __getitem__(self, idx: int) -> Any:
        return self.dataset[idx]
