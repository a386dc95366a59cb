"""The long-tailed CIFAR sets of the papers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmpretrain.datasets import CIFAR10, CIFAR100, BaseDataset

from mmpaco.registry import DATASETS

from .tail_counts import check_tail, counts_from

__all__ = ['CIFAR10LT', 'CIFAR100LT', 'cifar_lt_positions']


def cifar_lt_positions(
    counts: Sequence[int], factor: float
) -> list[np.ndarray]:
    """Which images of each class a long-tailed CIFAR keeps.

    The draw is that of the released lists: one legacy random stream of seed 0
    goes through the classes in ascending order, shuffles the images of each
    in place, and the first ones are kept. Pixels have no part in it.

    Args:
        counts (Sequence[int]): Images of each class of the full set.
        factor (float): Imbalance factor.

    Returns:
        list[np.ndarray]: For each class the positions among its own images,
        in the order drawn, int64 of shape (images kept, ).

    Raises:
        ValueError: If the factor is below 1 or leaves a class without
            images, or a class has fewer images than its share.
    """
    kept = counts_from(np.asarray(counts), 'exp', factor)
    # Not the default generator, whose stream NumPy may change.
    random = np.random.RandomState(0)
    positions = []
    for available, wanted in zip(counts, kept):
        drawn = np.arange(available)
        random.shuffle(drawn)
        positions.append(drawn[:wanted])
    return positions


class _LongTailed(BaseDataset):
    """Keeps of a training split the images of the released lists."""

    def __init__(self, *args: Any, factor: float = 100, **kwargs: Any) -> None:
        # A wrong factor is told before any data are read.
        check_tail('exp', factor)
        self.factor = factor
        super().__init__(*args, **kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Read the images.

        Returns:
            list[dict]: ``img`` and ``gt_label`` of each image, those of the
            training split sorted by class.
        """
        images: list[dict[str, Any]] = super().load_data_list()
        if self.split != 'train':
            return images
        labels = np.array([image['gt_label'] for image in images])
        positions = cifar_lt_positions(
            np.bincount(labels).tolist(), self.factor
        )
        return [
            images[i]
            for category, chosen in enumerate(positions)
            for i in np.flatnonzero(labels == category)[chosen]
        ]


@DATASETS.register_module()
class CIFAR10LT(_LongTailed, CIFAR10):
    """CIFAR-10, made long-tailed as in the papers.

    5000 images of class 0 fall to 5000 / factor of class 9. The test split
    is the full one.

    Args:
        *args: As those of mmpretrain's ``CIFAR10``: ``data_root``, ``split``,
            ...
        factor (float): Imbalance factor, images of the largest class over
            those of the smallest: 100, 50 or 10 in the papers. Defaults to
            100.
        **kwargs: As those of mmpretrain's ``CIFAR10``.

    Raises:
        ValueError: If the factor is below 1 or leaves a class without images.

    Example:
        >>> import pickle, tempfile
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from mmpaco.cls.datasets import CIFAR10LT
        >>> class Small(CIFAR10LT):  # 50 images a class, in one file
        ...     base_folder, train_list, test_list = '', [['small', None]], []
        >>> root = Path(tempfile.mkdtemp())
        >>> labels = [i % 10 for i in range(500)]
        >>> images = dict(data=np.zeros((500, 3072), np.uint8), labels=labels)
        >>> _ = (root / 'small').write_bytes(pickle.dumps(images))
        >>> dataset = Small(data_root=str(root), factor=10)
        >>> np.bincount(dataset.get_gt_labels()).tolist()
        [50, 38, 29, 23, 17, 13, 10, 8, 6, 5]
    """


@DATASETS.register_module()
class CIFAR100LT(_LongTailed, CIFAR100):
    """CIFAR-100, made long-tailed as in the papers.

    500 images of class 0 fall to 500 / factor of class 99. The test split is
    the full one.

    Args:
        *args: As those of mmpretrain's ``CIFAR100``: ``data_root``,
            ``split``, ...
        factor (float): Imbalance factor, images of the largest class over
            those of the smallest: 100, 50 or 10 in the papers. Defaults to
            100.
        **kwargs: As those of mmpretrain's ``CIFAR100``.

    Raises:
        ValueError: If the factor is below 1 or leaves a class without images.

    Example:
        >>> from mmpaco.cls.datasets.cifar_lt import cifar_lt_positions
        >>> from mmpaco.registry import DATASETS
        >>> dataset = DATASETS.build(dict(  # lazy: reads no file yet
        ...     type='mmpaco.CIFAR100LT', data_root='data/cifar100',
        ...     factor=100, lazy_init=True))
        >>> kept = cifar_lt_positions([500] * 100, dataset.factor)
        >>> len(dataset.CLASSES), sum(len(images) for images in kept)
        (100, 10847)
    """
