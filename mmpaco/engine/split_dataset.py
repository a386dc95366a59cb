"""A dataset cut in two: to train, and to validate."""

from typing import Any, Union

import numpy as np
from mmengine.dataset import BaseDataset

from mmpaco.registry import DATASETS

from .class_counts import dataset_labels
from .drawn_subset import DrawnSubset

_PARTS = ('train', 'val')


@DATASETS.register_module()
class SplitDataset(DrawnSubset):
    r"""One of two parts of a dataset, for a validation set where none is.

    Where images have one class each, as in mmpretrain, the part to validate
    has the share of every class, but one image at least of each that has two;
    else, as in mmseg, it has the share of all images. Both parts are drawn by
    the seed, so that two configs which differ in ``part`` alone share no
    image.

    Args:
        dataset (BaseDataset | dict): Any dataset of mmpretrain or mmseg, or
            its config.
        part (str): 'train' or 'val'.
        share (float): Share of the images to validate. Defaults to 0.2.
        seed (int): Seed of what is drawn. Defaults to 0.

    Raises:
        TypeError: If the dataset is a wrapper of others.
        ValueError: If an argument is out of range, or a part is empty.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from mmpaco.engine.class_counts import count_labels
        >>> from mmpaco.registry import DATASETS
        >>> path = Path(tempfile.mkdtemp()) / 'list.txt'
        >>> labels = [0] * 50 + [1] * 10 + [2] * 2
        >>> lines = [f'{i}.jpg {label}' for i, label in enumerate(labels)]
        >>> _ = path.write_text('\n'.join(lines))
        >>> cfg = dict(type='mmpaco.ImageListDataset', ann_file=str(path))
        >>> for part in ('train', 'val'):
        ...     dataset = DATASETS.build(
        ...         dict(type='mmpaco.SplitDataset', dataset=cfg, part=part))
        ...     count_labels(dataset).tolist()
        [40, 8, 1]
        [10, 2, 1]
    """

    def __init__(
        self,
        dataset: Union[BaseDataset, dict[str, Any]],
        part: str,
        share: float = 0.2,
        seed: int = 0,
    ) -> None:
        if part not in _PARTS:
            raise ValueError(f'part must be one of {_PARTS}, but got {part!r}')
        if not 0 < share < 1:
            raise ValueError(f'share must be in (0, 1), but got {share}')
        super().__init__(dataset)
        self.part = part
        self.share = share
        self.seed = seed
        self.begin()

    def draw(self) -> list[int]:
        """Draw the images of the part.

        Returns:
            list[int]: Their indices.
        """
        total = len(self.dataset)
        groups = [np.arange(total)]
        if hasattr(self.dataset, 'get_gt_labels'):
            labels = dataset_labels(self.dataset)
            groups = [np.flatnonzero(labels == x) for x in np.unique(labels)]
        rng = np.random.default_rng(self.seed)
        chosen: list[int] = []
        for group in groups:
            drawn = rng.permutation(group)
            count = max(round(self.share * len(group)), 1)
            count = min(count, len(group) - 1)
            part = drawn[:count] if self.part == 'val' else drawn[count:]
            chosen += part.tolist()
        if not chosen:
            raise ValueError(
                f'of {total} images the part {self.part!r} has none at '
                f'share={self.share}; give another share'
            )
        return sorted(chosen)
