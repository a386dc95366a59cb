"""The mmpretrain side: heads, classifier, data, metrics.

This room never imports mmseg, and works where mmseg is not installed.
"""

from mmpaco.compat import require

require('mmpretrain')

from .cifar_resnet import CIFARResNet  # noqa: E402
from .data_preprocessor import MultiViewDataPreprocessor  # noqa: E402
from .datasets import LongTailedDataset  # noqa: E402
from .gpaco_head import GPaCoHead  # noqa: E402
from .paco_classifier import PaCoClassifier  # noqa: E402
from .projector import Projector  # noqa: E402
from .resnet import FrozenConvResNet, ResNet200  # noqa: E402
from .shot_accuracy import ShotAccuracy  # noqa: E402

__all__ = [
    'CIFARResNet',
    'FrozenConvResNet',
    'GPaCoHead',
    'LongTailedDataset',
    'MultiViewDataPreprocessor',
    'PaCoClassifier',
    'Projector',
    'ResNet200',
    'ShotAccuracy',
]
