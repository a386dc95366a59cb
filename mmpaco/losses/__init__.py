"""Losses of parametric contrastive learning and its baselines.

They import torch alone, so they work in any PyTorch code.
"""

from .balanced_softmax_loss import BalancedSoftmaxLoss, balanced_softmax_loss
from .base import ContrastBatch, ContrastiveLoss
from .class_balanced_loss import ClassBalancedLoss
from .class_counts import as_class_counts
from .class_prior import ClassPrior, log_class_prior
from .class_weights import effective_number_weights
from .embedding_queue import EmbeddingQueue
from .feature_mean import FeatureMean
from .label_aware_smooth_loss import LabelAwareSmoothLoss
from .labels import check_labels
from .ldam_loss import LDAMLoss
from .multi_task_loss import MultiTaskLoss
from .paco_loss import PaCoLoss, paco_loss
from .projector import Projector
from .reslt_loss import ResLTLoss
from .ride_loss import RIDELoss
from .supcon_loss import SupConLoss, supcon_loss

__all__ = [
    'BalancedSoftmaxLoss',
    'ClassBalancedLoss',
    'ClassPrior',
    'ContrastBatch',
    'ContrastiveLoss',
    'EmbeddingQueue',
    'FeatureMean',
    'LDAMLoss',
    'LabelAwareSmoothLoss',
    'MultiTaskLoss',
    'PaCoLoss',
    'Projector',
    'ResLTLoss',
    'RIDELoss',
    'SupConLoss',
    'as_class_counts',
    'balanced_softmax_loss',
    'check_labels',
    'effective_number_weights',
    'log_class_prior',
    'paco_loss',
    'supcon_loss',
]
