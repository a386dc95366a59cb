"""The loss as its equation reads, with all pairs at once.

It is the oracle of the tiled form, and what to read first.
"""

import math
from typing import Optional

import torch
from torch import Tensor

from .labels import class_index
from .positives import dense_pairs


def dense_loss(
    features: Tensor,
    labels: Tensor,
    centers: Tensor,
    extra_features: Optional[Tensor],
    extra_labels: Optional[Tensor],
    *,
    alpha: float,
    temperature: float,
    beta: float,
    gamma: float,
    label_smoothing: float,
    ignore_index: Optional[int],
) -> Tensor:
    """Loss of each anchor; arguments as in :func:`paco_loss`."""
    similarities, is_positive = dense_pairs(
        features, labels, extra_features, extra_labels, temperature
    )
    log_gamma = math.log(gamma) if gamma > 0 else -math.inf
    log_z = torch.cat([centers, similarities + log_gamma], dim=1).logsumexp(1)

    num_classes = centers.shape[1]
    anchor_class = class_index(labels, ignore_index)
    # Not by one_hot, which some versions of PyTorch make wait for a device.
    classes = torch.arange(num_classes, device=features.device)
    target = (anchor_class[:, None] == classes).to(features.dtype)
    if label_smoothing > 0:
        others = (1 - target) * label_smoothing / (num_classes - 1)
        target = target * (1 - label_smoothing) + others
    center_part = (target * (centers - log_z[:, None])).sum(1)
    log_p = (similarities - log_z[:, None]).masked_fill(~is_positive, 0)
    num_positives = is_positive.sum(1).to(features.dtype)
    return -(beta * center_part + alpha * log_p.sum(1)) / (
        beta + alpha * num_positives
    )
