"""What the positives of each anchor add, with and without all pairs."""

import math
from typing import Optional

import torch
from torch import Tensor

from .base import ContrastBatch
from .labels import class_index


def positive_sums(
    batch: ContrastBatch, temperature: float, ignore_index: Optional[int]
) -> tuple[Tensor, Tensor]:
    """Sum the similarities of each anchor to its positives.

    It is one product of the anchor with the sum of the rows of its class.

    Args:
        batch (ContrastBatch): Anchors and other rows, of one or B images.
        temperature (float): What divides the similarities.
        ignore_index (int, optional): Rows of this label are no positives of
            others; what is given for them has no meaning.

    Returns:
        tuple[Tensor, Tensor]: The sums and the numbers of positives, both of
        shape (N, ), or (B, N).
    """
    features = batch.features
    num_classes = batch.center_logits.shape[-1]
    num_images = len(features) if features.dim() == 3 else 1
    # Ignored rows are a class of their own, the last one of each image.
    size = num_images * (num_classes + 1)
    sum_class = _image_classes(batch.labels, ignore_index, num_classes)
    class_sums = features.new_zeros(size, features.shape[-1])
    class_sizes = features.new_zeros(size)
    parts = [(features, sum_class)]
    if batch.extra_features.shape[-2]:
        extra_class = _image_classes(
            batch.extra_labels, ignore_index, num_classes
        )
        parts.append((batch.extra_features, extra_class))
    for rows, row_class in parts:
        rows = rows.reshape(-1, rows.shape[-1])
        class_sums.index_add_(0, row_class, rows)
        class_sizes.index_add_(0, row_class, torch.ones_like(rows[:, 0]))
    # Not by class_sums[...], whose backward takes equal indices in turn on a
    # device: 0.4 instead of 2 ms where half of 8192 rows are of one class.
    own_sums = class_sums.index_select(0, sum_class).view(features.shape)
    sums = (features * (own_sums - features)).sum(-1)
    sizes = class_sizes.index_select(0, sum_class).view(sums.shape)
    return sums / temperature, sizes - 1


def _image_classes(
    labels: Tensor, ignore_index: Optional[int], num_classes: int
) -> Tensor:
    """Give each class of each image a number of its own, in one axis."""
    index = class_index(labels, ignore_index, num_classes)
    if index.dim() == 1:
        return index
    image = torch.arange(len(index), device=index.device)
    numbers = index + image[:, None] * (num_classes + 1)
    # A label that is no class would be one of the next image. It is read on
    # no device, where indexing then stops at it.
    is_class = (index >= 0) & (index <= num_classes)
    return torch.where(is_class, numbers, -1).flatten()


def dense_pairs(
    batch: ContrastBatch, temperature: float
) -> tuple[Tensor, Tensor]:
    """Compare each anchor with all rows.

    Args:
        batch (ContrastBatch): Anchors and other rows.
        temperature (float): What divides the similarities.

    Returns:
        tuple[Tensor, Tensor]: The similarities, minus infinity of a row to
        itself, and which pairs are positive; both of shape (N, N + M).
    """
    features, labels = batch.features, batch.labels
    contrasts = torch.cat([features, batch.extra_features])
    contrast_labels = torch.cat([labels, batch.extra_labels])
    index = torch.arange(len(contrasts), device=features.device)
    is_self = index[: len(features), None] == index
    similarities = features @ contrasts.t() / temperature
    is_positive = (labels[:, None] == contrast_labels) & ~is_self
    return similarities.masked_fill(is_self, -math.inf), is_positive
