"""Long-tailed datasets.

Those of ``image_list`` and ``cifar_lt`` are imported when they are looked up,
because they import mmpretrain's own datasets, which takes time and prints.
"""

from .long_tailed import LongTailedDataset

__all__ = ['LongTailedDataset']
