"""Long-tailed datasets."""

from .long_tailed import LongTailedDataset

__all__ = ['LongTailedDataset']
