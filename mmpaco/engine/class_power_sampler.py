"""Batches in which a class is as frequent as a power of its images."""

import math
from collections.abc import Iterator, Sized
from numbers import Integral
from typing import Any, Optional

import numpy as np
from mmengine.dataset import DefaultSampler

from mmpaco.registry import DATA_SAMPLERS

from .class_counts import check_labels, dataset_labels

Array = np.ndarray
# So many random numbers take as long as going to one of them.
_DRAWS_OF_A_JUMP = 300


@DATA_SAMPLERS.register_module()
class ClassPowerSampler(DefaultSampler):
    """Draw classes by a power of their images, in place of ``DefaultSampler``.

    Of C classes with n_c images each, class c is drawn with a probability in
    proportion to n_c^power:

    - 0: class-balanced sampling, as in the second stage of cRT and LWS
      (Decoupling, Kang et al., ICLR 2020, https://arxiv.org/abs/1910.09217)
      and of MiSLAS. The classes come in shuffled cycles, each once.
    - 0.5: square-root sampling, of the same paper.
    - 1: instance-balanced sampling: each image once, as ``DefaultSampler``.
    - -1: reversed sampling, as of the second image of BBN.

    With ``progressive`` it goes from power 1 to ``power`` over that many
    epochs: of epoch e, counted from 0, of E the probability is
    (1 - e / (E - 1)) n_c / N plus e / (E - 1) times that of ``power``;
    progressively-balanced sampling of the same paper with power 0.

    The images of a class come in shuffled cycles, which go on from epoch to
    epoch, so each comes once before one comes again. A class without images
    is never drawn. An epoch has as many images as the data set. It depends on
    seed and epoch alone, and the ranks take turns in one sequence.

    Args:
        dataset (Sized): A dataset with one label for each image, or wrappers
            of such.
        power (float): The power q of n_c^q. Defaults to 0.
        progressive (int, optional): Epochs until ``power`` is reached, at
            least 2. Defaults to None: it is there from the start.
        in_a_row (int): Images that a class gives when its turn comes, 4 in
            the releases of Decoupling and MiSLAS. More than 1 is for power 0
            without ``progressive``. Defaults to 1.
        seed (int, optional): The same on all ranks. Defaults to None: it is
            drawn.
        round_up (bool): Whether ranks get as many images each, by the first
            ones again. Defaults to True.

    Raises:
        TypeError: If the labels cannot be found, or an image has several.
        ValueError: If the dataset is empty, or an argument is out of range.

    Example:
        >>> from mmengine.registry import DATA_SAMPLERS
        >>> class Letters:
        ...     def __len__(self):
        ...         return 6
        ...     def get_gt_labels(self):
        ...         return [0, 0, 0, 0, 1, 2]
        >>> sampler = DATA_SAMPLERS.build(
        ...     dict(type='mmpaco.ClassPowerSampler', power=0),
        ...     default_args=dict(dataset=Letters(), seed=0),
        ... )
        >>> sorted([0, 0, 0, 0, 1, 2][i] for i in sampler)
        [0, 0, 1, 1, 2, 2]
    """

    def __init__(
        self,
        dataset: Sized,
        power: float = 0.0,
        progressive: Optional[int] = None,
        in_a_row: int = 1,
        seed: Optional[int] = None,
        round_up: bool = True,
    ) -> None:
        if not math.isfinite(power):
            raise ValueError(f'power must be finite, but got {power}')
        if progressive is not None and progressive < 2:
            raise ValueError(
                'progressive is the number of epochs from the first '
                f'probabilities to the last, at least 2, but got {progressive}'
            )
        is_count = isinstance(in_a_row, Integral) and in_a_row >= 1
        if not is_count or (in_a_row > 1 and (power or progressive)):
            raise ValueError(
                'in_a_row must be an integer, at least 1, and only 1 unless '
                'classes come in cycles (power=0 without progressive), but '
                f'got {in_a_row} with power={power} and '
                f'progressive={progressive}'
            )
        labels = dataset_labels(dataset, each_item=True)
        check_labels(labels, dataset)
        if len(labels) != len(dataset):
            raise TypeError(
                f'{type(dataset).__name__} has {len(dataset)} images, but '
                f'labels for {len(labels)}: it is a wrapper whose labels '
                'cannot be told apart; give the dataset that it wraps, or use '
                'DefaultSampler'
            )
        super().__init__(dataset, seed=seed, round_up=round_up)
        self.power = power
        self.progressive = progressive
        self.in_a_row = in_a_row
        # Classes with images, numbered anew.
        _, self._labels, self._counts = np.unique(
            labels, return_inverse=True, return_counts=True
        )
        # Their images, one class after the other.
        self._images = np.argsort(self._labels, kind='stable')
        self._first = np.cumsum(self._counts) - self._counts
        self._told = self._no_draws()

    def probabilities(self, epoch: int) -> 'Array[Any, Any]':
        """Give the probability of each class that has images.

        Args:
            epoch (int): The epoch, counted from 0.

        Returns:
            np.ndarray: Of shape (C, ), in the order of their labels.
        """
        sizes = self._counts / self._counts.max()
        # From the class that is drawn most, so that no power overflows.
        most = self._counts.max() if self.power > 0 else self._counts.min()
        powers = (self._counts / most) ** self.power
        progress = 1.0
        if self.progressive is not None:
            progress = min(epoch / (self.progressive - 1), 1.0)
        shares: Array[Any, Any] = (1 - progress) * sizes / sizes.sum()
        shares += progress * powers / powers.sum()
        return shares

    def __iter__(self) -> Iterator[int]:
        """Give the indices of this rank's images."""
        indices = self._epoch(self.epoch)
        # As many as all ranks together need.
        indices = np.resize(indices, self.total_size)
        return iter(indices[self.rank :: self.world_size].tolist())

    def _rng(self, *numbers: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *numbers])

    def _epoch(self, epoch: int) -> 'Array[Any, Any]':
        """Give the indices of all ranks."""
        if self.power == 1 and self.progressive is None:
            return self._rng(0, epoch).permutation(len(self._labels))
        classes = self._classes(epoch)
        turns = self._turns(classes) + self._draws_before(epoch)[classes]
        cycles, places = np.divmod(turns, self._counts[classes])
        # What is shuffled: the images of a class, in a cycle of theirs.
        deals, deal_of = np.unique(
            cycles * len(self._counts) + classes, return_inverse=True
        )
        cycle_of, class_of = np.divmod(deals, len(self._counts))
        sizes = self._counts[class_of]
        first = np.cumsum(sizes) - sizes
        cards = np.arange(sizes.sum()) + np.repeat(
            self._first[class_of] - first, sizes
        )
        images = self._images[cards]
        deal = np.repeat(np.arange(len(deals)), sizes)
        order = np.lexsort((self._keys(cycle_of[deal], images), deal))
        indices: Array[Any, Any] = images[order][first[deal_of] + places]
        return indices

    def _keys(
        self, cycles: 'Array[Any, Any]', images: 'Array[Any, Any]'
    ) -> 'Array[Any, Any]':
        """Give the random number by which an image is sorted in a cycle."""
        keys = np.zeros(len(images))
        # One image alone is in order without a number.
        order = np.lexsort((images, cycles))
        order = order[self._counts[self._labels[images[order]]] > 1]
        found, starts = np.unique(cycles[order], return_index=True)
        for cycle, mine in zip(found.tolist(), np.split(order, starts[1:])):
            bits = np.random.PCG64([self.seed, 1, cycle])
            rng = np.random.Generator(bits)
            if len(mine) > len(self._labels) / _DRAWS_OF_A_JUMP:
                keys[mine] = rng.random(len(self._labels))[images[mine]]
                continue
            # Each image has a draw of its own, of which these are few.
            drawn, here = [], 0
            for image in images[mine].tolist():
                bits.advance(image - here)
                drawn.append(rng.random())
                here = image + 1
            keys[mine] = drawn
        return keys

    def _classes(self, epoch: int) -> 'Array[Any, Any]':
        """Draw the classes of an epoch."""
        rng, num_classes = self._rng(0, epoch), len(self._counts)
        if self.power == 0 and self.progressive is None:
            turns = -(-len(self._labels) // self.in_a_row)
            cycles = np.tile(
                np.arange(num_classes), (-(-turns // num_classes), 1)
            )
            classes = rng.permuted(cycles, axis=1).ravel()
            return classes.repeat(self.in_a_row)[: len(self._labels)]
        return rng.choice(
            num_classes, len(self._labels), p=self.probabilities(epoch)
        )

    def _turns(self, classes: 'Array[Any, Any]') -> 'Array[Any, Any]':
        """Number the draws of each class of an epoch."""
        order = np.argsort(classes, kind='stable')
        counts = np.bincount(classes, minlength=len(self._counts))
        first = np.cumsum(counts) - counts
        turns = np.empty_like(classes)
        turns[order] = np.arange(len(classes)) - first[classes[order]]
        return turns

    def _no_draws(self) -> 'tuple[int, Array[Any, Any]]':
        return 0, np.zeros_like(self._counts)

    def _draws_before(self, epoch: int) -> 'Array[Any, Any]':
        """Count how often each class was drawn in the epochs before."""
        # Those of the last call, since epochs follow each other.
        known, counts = self._told
        if known > epoch:
            known, counts = self._no_draws()
        for earlier in range(known, epoch):
            counts = counts + np.bincount(
                self._classes(earlier), minlength=len(counts)
            )
        self._told = epoch, counts
        return counts
