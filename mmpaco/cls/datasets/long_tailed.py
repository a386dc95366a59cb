"""A long-tailed subset of any classification dataset."""

import copy
import math
import warnings
from collections.abc import Sequence
from typing import Any, Optional, Union

import numpy as np
from mmengine.dataset import BaseDataset, force_full_init

from mmpaco.engine.class_counts import count_labels, dataset_labels
from mmpaco.registry import DATASETS

# The power of the Pareto tail that ImageNet-LT was drawn from.
_PARETO_POWER = 6
_PROFILES = ('exp', 'step', 'pareto')
# By how much whole images may change the factor without a word.
_TOLERANCE = 0.1


def check_tail(profile: str, factor: float) -> None:
    """Check what :func:`long_tailed_counts` will be asked for.

    Args:
        profile (str): 'exp', 'step' or 'pareto'.
        factor (float): Images of the head class over those of the last one.

    Raises:
        ValueError: If the profile is unknown or the factor is below 1.
    """
    if not factor >= 1:
        raise ValueError(
            'the imbalance factor is the largest class over the '
            f'smallest, so at least 1, but got {factor}'
        )
    if profile not in _PROFILES:
        raise ValueError(
            f'profile must be one of {_PROFILES}, but got {profile!r}'
        )


def long_tailed_counts(
    largest: int, num_classes: int, profile: str, factor: float
) -> np.ndarray:
    """Images per class of a long-tailed set, from head to tail.

    With r from 0 at the head class to 1 at the last class, the counts are

    - exp: ``largest * factor ** -r``, as CIFAR-LT;
    - step: ``largest`` in the first half, ``largest / factor`` in the other;
    - pareto: ``largest * (1 + r * (factor ** (1 / 6) - 1)) ** -6``, a Pareto
      tail of power 6, as ImageNet-LT;

    rounded down.

    Args:
        largest (int): Images of the head class.
        num_classes (int): The class count C.
        profile (str): 'exp', 'step' or 'pareto'.
        factor (float): Images of the head class over those of the last one.

    Returns:
        np.ndarray: int64 of shape (C, ), falling.

    Raises:
        ValueError: If the profile is unknown, the factor is below 1, or it
            leaves a class without images.
    """
    check_tail(profile, factor)
    counts = _whole(largest * _shares(num_classes, profile, factor))
    if counts.min() < 1:
        raise ValueError(
            f'an imbalance factor of {factor} leaves a class without images, '
            f'as the largest class has {largest}; use at most {largest}'
        )
    return counts


def _shares(num_classes: int, profile: str, factor: float) -> np.ndarray:
    """Images of each class over those of the head class."""
    rank = np.arange(num_classes)
    place = rank / max(num_classes - 1, 1)
    shares: np.ndarray
    if profile == 'exp':
        shares = factor**-place
    elif profile == 'step':
        shares = np.where(rank < num_classes / 2, 1, 1 / factor)
    else:
        scale = factor ** (1 / _PARETO_POWER) - 1
        shares = (1 + place * scale) ** -_PARETO_POWER
    return shares


def _whole(counts: np.ndarray) -> np.ndarray:
    # Powers may miss an exact integer by a rounding error.
    return np.floor(counts + 1e-9).astype(np.int64)


def counts_from(
    available: np.ndarray,
    profile: str,
    factor: float,
    largest: Optional[int] = None,
    classes: Optional[np.ndarray] = None,
) -> np.ndarray:
    """Give the counts of a long tail that a set has the images for.

    It warns where whole images make the factor another one, by a tenth.

    Args:
        available (np.ndarray): Images of each class, of shape (C, ).
        profile (str): 'exp', 'step' or 'pareto'.
        factor (float): Images of the head class over those of the last one.
        largest (int, optional): Images of the head class. Defaults to those
            of the largest class.
        classes (np.ndarray, optional): The classes from head to tail, of
            shape (C, ). Defaults to 0, 1, ...

    Returns:
        np.ndarray: As by :func:`long_tailed_counts`.

    Raises:
        ValueError: As by :func:`long_tailed_counts`, or if there is only one
            class, or one has fewer images than its share.
    """
    if len(available) < 2:
        raise ValueError(
            'a long tail needs two classes or more, but the dataset has '
            f'{len(available)}'
        )
    if classes is None:
        classes = np.arange(len(available))
    if largest is None:
        largest = int(available.max())
    counts = long_tailed_counts(largest, len(available), profile, factor)
    has = np.asarray(available)[classes]
    short = np.flatnonzero(has < counts)
    if len(short):
        shares = _shares(len(available), profile, factor)
        told = [
            f'class {classes[i]} has {has[i]} images for {counts[i]}'
            for i in short[:5]
        ]
        raise ValueError(
            f'the {profile} tail of factor {factor:g} from {largest} images '
            'takes more of a class than there are: '
            f'{", ".join(told)}{", ..." if len(short) > 5 else ""} '
            f'({len(short)} of {len(has)} classes). ' + _advice(has, shares)
        )
    head, tail = int(counts[0]), int(counts[-1])
    if not _is_met(factor, head, tail):
        warnings.warn(
            f'the long tail falls from {head} images to {tail}, a factor of '
            f'{head / tail:.4g} and not {factor:g}, since counts are rounded '
            f'down to whole images; {head / tail:.4g} and '
            f'{math.floor(10 * head / (tail + 1)) / 10:g} are met',
            stacklevel=2,
        )
    return counts


def _is_met(factor: float, head: int, tail: int) -> bool:
    return abs(head / tail / factor - 1) <= _TOLERANCE


def _advice(has: np.ndarray, shares: np.ndarray) -> str:
    """Say what the images suffice for, has of shape (C, ) from the head on."""
    enough, too_many = 0, int(has[0]) + 1
    while too_many - enough > 1:
        middle = (enough + too_many) // 2
        if (_whole(middle * shares) <= has).all():
            enough = middle
        else:
            too_many = middle
    tails = {n: int(_whole(n * shares[-1:])[0]) for n in range(1, too_many)}
    fitting = [n for n, tail in tails.items() if tail]
    # As many images as can be, of those that keep to the factor.
    kept = [n for n in fitting if _is_met(1 / shares[-1], n, tails[n])]
    if fitting:
        return f'They suffice for largest={max(kept or fitting)}'
    return (
        'They suffice for no head class; use a smaller factor, or other '
        'classes as head (shuffle_classes=True and another seed)'
    )


@DATASETS.register_module()
class LongTailedDataset:
    r"""A long-tailed subset of a classification dataset.

    Args:
        dataset (BaseDataset | dict): Any dataset of mmpretrain's, or its
            config.
        profile (str): 'exp', 'step' or 'pareto', see
            :func:`long_tailed_counts`. Defaults to 'exp'.
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
