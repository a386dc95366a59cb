"""The loss without its N x (N + M) matrix of similarities."""

import math
from typing import Optional

import torch
from torch import Tensor

from .contrast import contrast_logsumexp
from .labels import class_index


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
    # Ignored rows are a class of their own, the last one.
    sum_class = class_index(labels, ignore_index, num_classes)
    class_sums = features.new_zeros(num_classes + 1, features.shape[1])
    class_sizes = features.new_zeros(num_classes + 1)
    parts = [(features, sum_class)]
    if extra_features is not None and extra_labels is not None:
        extra_class = class_index(extra_labels, ignore_index, num_classes)
        parts.append((extra_features, extra_class))
    for rows, row_class in parts:
        class_sums = class_sums.index_add(0, row_class, rows)
        class_sizes.index_add_(0, row_class, torch.ones_like(rows[:, 0]))
    num_positives = class_sizes[sum_class] - 1
    positive_part = (features * (class_sums[sum_class] - features)).sum(
        1
    ) / temperature

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
