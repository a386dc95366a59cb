"""Metrics of classification."""

from .corruption_error import CorruptionError
from .shot_accuracy import ShotAccuracy
from .subset_accuracy import SubsetAccuracy

__all__ = ['CorruptionError', 'ShotAccuracy', 'SubsetAccuracy']
