"""Heads, classifiers, networks and their data preprocessor."""

from .bbn_classifier import BBNClassifier
from .causal_norm_head import CausalNormHead
from .cifar_resnet import CIFARResNet
from .cosine_head import CosineClsHead
from .data_preprocessor import MultiViewDataPreprocessor
from .gpaco_head import GPaCoHead
from .gpaco_stock_head import GPaCoStockHead
from .linear_probe import LinearProbeClassifier
from .multi_expert_head import MultiExpertClsHead
from .multi_expert_resnet import (
    MultiExpertCIFARResNet,
    MultiExpertResNet,
    MultiExpertResNetCIFAR,
)
from .paco_classifier import PaCoClassifier
from .projector import Projector
from .reslt_head import ResLTHead
from .resnet import FrozenConvResNet, ResNet200
from .scaled_head import ScaledClsHead

__all__ = [
    'BBNClassifier',
    'CIFARResNet',
    'CausalNormHead',
    'CosineClsHead',
    'FrozenConvResNet',
    'GPaCoHead',
    'GPaCoStockHead',
    'LinearProbeClassifier',
    'MultiExpertCIFARResNet',
    'MultiExpertClsHead',
    'MultiExpertResNet',
    'MultiExpertResNetCIFAR',
    'MultiViewDataPreprocessor',
    'PaCoClassifier',
    'Projector',
    'ResLTHead',
    'ResNet200',
    'ScaledClsHead',
]
