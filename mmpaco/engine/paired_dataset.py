"""Items in pairs, and the sampler that draws them.

BBN, Zhou et al., CVPR 2020, https://arxiv.org/abs/1912.02413
"""

from collections.abc import Iterator, Mapping
from typing import Any, Optional, Union

from mmengine.dataset import DefaultSampler

from mmpaco.registry import DATA_SAMPLERS, DATASETS

from .class_power_sampler import ClassPowerSampler


@DATASETS.register_module()
class PairedDataset:
    """A dataset of which ``mmpaco.PairSampler`` asks two items at a time.

    A pair has lists of what an item has: ``inputs`` of two images, and
    ``data_samples`` of theirs, each with a label of its own, of which
    ``mmpaco.MultiViewDataPreprocessor`` makes one batch. Which two they are
    the sampler says, so nothing is drawn here: workers need no seed, and
    length, labels and single items are those of the dataset.

    Args:
        dataset (Dataset | dict): Any dataset, or its config.

    Example:
        >>> from mmpaco.registry import DATASETS
        >>> items = [dict(inputs=i, data_samples=-i) for i in range(5)]
        >>> pairs = DATASETS.build(
        ...     dict(type='mmpaco.PairedDataset', dataset=items))
        >>> pairs[1, 4]
        {'inputs': [1, 4], 'data_samples': [-1, -4]}
        >>> len(pairs), pairs[3]
        (5, {'inputs': 3, 'data_samples': -3})
    """

    def __init__(self, dataset: Any) -> None:
        if isinstance(dataset, Mapping):
            dataset = DATASETS.build(dataset)
        self.dataset = dataset

    @property
    def metainfo(self) -> dict[str, Any]:
        """Meta information of the dataset."""
        info: dict[str, Any] = getattr(self.dataset, 'metainfo', {})
        return info

    def full_init(self) -> None:
        """Read the dataset."""
        if hasattr(self.dataset, 'full_init'):
            self.dataset.full_init()

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: Union[int, tuple[int, int]]) -> Any:
        if not isinstance(index, tuple):
            return self.dataset[index]
        items = [self.dataset[i] for i in index]
        return {key: [item[key] for item in items] for key in items[0]}


@DATA_SAMPLERS.register_module()
class PairSampler(DefaultSampler):
    """Draw a second image to each, by a power of the images of its class.

    The first ones are those of ``DefaultSampler``, each image once an epoch;
    the second ones those of ``mmpaco.ClassPowerSampler``. All depends on seed
    and epoch alone, whatever workers load the images.

    Args:
        dataset (mmpaco.PairedDataset): The dataset, of one label for each
            image.
        power (float): As of ``mmpaco.ClassPowerSampler``. Defaults to -1:
            reversed sampling, as in BBN.
        seed (int, optional): The same on all ranks. Defaults to None: it is
            drawn.
        round_up (bool): Whether ranks get as many pairs each. Defaults to
            True.

    Raises:
        TypeError: If the dataset is no ``mmpaco.PairedDataset``, or its
            labels cannot be found.
        ValueError: If it is empty.

    Example:
        >>> from mmengine.registry import DATA_SAMPLERS
        >>> from mmpaco.engine.paired_dataset import PairedDataset
        >>> class Letters(list):
        ...     def get_gt_labels(self):
        ...         return [0] * 90 + [1] * 10
        >>> sampler = DATA_SAMPLERS.build(
        ...     dict(type='mmpaco.PairSampler'),
        ...     default_args=dict(
        ...         dataset=PairedDataset(Letters(range(100))), seed=0),
        ... )
        >>> first, second = zip(*sampler)
        >>> sum(i >= 90 for i in first), sum(i >= 90 for i in second)
        (10, 90)
    """

    def __init__(
        self,
        dataset: PairedDataset,
        power: float = -1.0,
        seed: Optional[int] = None,
        round_up: bool = True,
    ) -> None:
        if not isinstance(dataset, PairedDataset):
            raise TypeError(
                'mmpaco.PairSampler draws pairs, which only '
                'mmpaco.PairedDataset can give, but got '
                f'{type(dataset).__name__}; wrap it: '
                "dataset=dict(type='mmpaco.PairedDataset', dataset=dict(...))"
            )
        super().__init__(dataset, seed=seed, round_up=round_up)
        self.second = ClassPowerSampler(
            dataset, power, seed=self.seed, round_up=round_up
        )

    def set_epoch(self, epoch: int) -> None:
        """Tell which epoch is drawn.

        Args:
            epoch (int): The epoch, counted from 0.
        """
        super().set_epoch(epoch)
        self.second.set_epoch(epoch)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Give the pairs of indices of this rank."""
        return zip(super().__iter__(), self.second)
