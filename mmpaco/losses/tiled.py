"""The loss without its N x (N + M) matrix of similarities."""

import math
from typing import Optional

import torch
from torch import Tensor

from .contrast import contrast_logsumexp
from .labels import class_index
from .positives import positive_sums


def tiled_loss(
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
    """Loss of each anchor; arguments as in :func:`paco_loss`.

    The weights of an anchor's targets sum to the normaliser, so log Z leaves
    the sums, and what the positives add is one product of the anchor with
    the sum of the rows of its class.
    """
    num_classes = centers.shape[1]
    positive_part, num_positives = positive_sums(
        features,
        labels,
        extra_features,
        extra_labels,
        num_classes=num_classes,
        temperature=temperature,
        ignore_index=ignore_index,
    )
    anchor_class = class_index(labels, ignore_index)
    own = centers.gather(1, anchor_class[:, None]).squeeze(1)
    center_part = own
    if label_smoothing > 0:
        others = (centers.sum(1) - own) / (num_classes - 1)
        center_part = (1 - label_smoothing) * own + label_smoothing * others

    log_z = centers.logsumexp(1)
    if gamma > 0:
        contrast = contrast_logsumexp(features, extra_features, temperature)
        log_z = torch.logaddexp(log_z, contrast + math.log(gamma))
    return log_z - (beta * center_part + alpha * positive_part) / (
        beta + alpha * num_positives
    )
