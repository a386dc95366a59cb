"""Losses of parametric contrastive learning and its baselines.

This room imports torch alone, so that the losses work in any PyTorch code.
"""

from .balanced_softmax import BalancedSoftmaxLoss, balanced_softmax_loss
from .class_prior import ClassPrior, log_class_prior
from .labels import check_labels
from .paco_loss import PaCoLoss, paco_loss

__all__ = [
    'BalancedSoftmaxLoss',
    'ClassPrior',
    'PaCoLoss',
    'balanced_softmax_loss',
    'check_labels',
    'log_class_prior',
    'paco_loss',
]
