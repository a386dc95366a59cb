"""A long-tailed subset of any classification dataset."""

from typing import Any, Optional, Union

import numpy as np
from mmengine.dataset import BaseDataset, force_full_init

from mmpaco.engine.class_counts import count_labels, dataset_labels
from mmpaco.engine.drawn_subset import DrawnSubset
from mmpaco.registry import DATASETS

from .tail_counts import check_tail, counts_from


@DATASETS.register_module()
class LongTailedDataset(DrawnSubset):
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
        super().__init__(dataset)
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
        self.profile = profile
        self.factor = factor
        self.seed = seed
        self.shuffle_classes = shuffle_classes
        self.held_out = held_out
        self.largest = largest
        self.begin()

    def draw(self) -> list[int]:
        """Draw the images of the long tail, or those held out.

        Returns:
            list[int]: Their indices.
        """
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
    def get_gt_labels(self) -> np.ndarray:
        """Get the class label of every image."""
        return dataset_labels(self.dataset)
