"""What the positives of each anchor add, with and without all pairs."""

import math
from typing import Optional

import torch
from torch import Tensor

from .labels import class_index


def positive_sums(
    features: Tensor,
    labels: Tensor,
    extra_features: Optional[Tensor],
    extra_labels: Optional[Tensor],
    *,
    num_classes: int,
    temperature: float,
    ignore_index: Optional[int],
) -> tuple[Tensor, Tensor]:
    """Sum the similarities of each anchor to its positives.

    It is one product of the anchor with the sum of the rows of its class.

    Args:
        features (Tensor): Anchors of shape (N, D).
        labels (Tensor): Their classes, of shape (N, ).
        extra_features (Tensor, optional): More contrasts, of shape (M, D).
        extra_labels (Tensor, optional): Their classes, of shape (M, ).
        num_classes (int): The class count C.
        temperature (float): What divides the similarities.
        ignore_index (int, optional): Rows of this label are no positives of
            others; what is given for them has no meaning.

    Returns:
        tuple[Tensor, Tensor]: The sums and the numbers of positives, both of
        shape (N, ).
    """
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
    sums = (features * (class_sums[sum_class] - features)).sum(1)
    return sums / temperature, class_sizes[sum_class] - 1


def dense_pairs(
    features: Tensor,
    labels: Tensor,
    extra_features: Optional[Tensor],
    extra_labels: Optional[Tensor],
    temperature: float,
) -> tuple[Tensor, Tensor]:
    """Compare each anchor with all rows.

    Args:
        features (Tensor): Anchors of shape (N, D).
        labels (Tensor): Their classes, of shape (N, ).
        extra_features (Tensor, optional): More contrasts, of shape (M, D).
        extra_labels (Tensor, optional): Their classes, of shape (M, ).
        temperature (float): What divides the similarities.

    Returns:
        tuple[Tensor, Tensor]: The similarities, minus infinity of a row to
        itself, and which pairs are positive; both of shape (N, N + M).
    """
    contrasts, contrast_labels = features, labels
    if extra_features is not None and extra_labels is not None:
        contrasts = torch.cat([features, extra_features])
        contrast_labels = torch.cat([labels, extra_labels])
    index = torch.arange(contrasts.shape[0], device=features.device)
    is_self = index[: features.shape[0], None] == index
    similarities = features @ contrasts.t() / temperature
    is_positive = (labels[:, None] == contrast_labels) & ~is_self
    return similarities.masked_fill(is_self, -math.inf), is_positive
