"""The loss without its N x M matrix of similarities.

The matrix is made a few rows at a time, once in the forward pass and once more
in the backward pass, so memory is linear in the rows.
"""

import math
from collections.abc import Iterator
from typing import Any, Optional

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .labels import class_index, is_counted

# Similarities held at a time: 4 MiB in float32, which a CPU's cache holds.
_TILE_ELEMENTS = 2**20


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
    anchor_class = class_index(labels, ignore_index)
    class_sums = features.new_zeros(num_classes, features.shape[1])
    class_sizes = features.new_zeros(num_classes)
    for rows, row_labels in (
        (features, labels),
        (extra_features, extra_labels),
    ):
        if rows is None or row_labels is None:
            continue
        counted = is_counted(row_labels, ignore_index)
        row_class = class_index(row_labels, ignore_index)
        class_sums = class_sums.index_add(
            0, row_class, rows * counted[:, None]
        )
        class_sizes = class_sizes.index_add(
            0, row_class, counted.to(rows.dtype)
        )
    num_positives = class_sizes[anchor_class] - 1
    positive_part = (features * (class_sums[anchor_class] - features)).sum(
        1
    ) / temperature

    own = centers.gather(1, anchor_class[:, None]).squeeze(1)
    center_part = own
    if label_smoothing > 0:
        others = (centers.sum(1) - own) / (num_classes - 1)
        center_part = (1 - label_smoothing) * own + label_smoothing * others

    log_z = centers.logsumexp(1)
    if gamma > 0:
        contrast = contrast_logsumexp(features, extra_features, temperature)
        log_z = torch.logaddexp(log_z, contrast + math.log(gamma))
    # An ignored row may count -1 positives; it must not divide by zero.
    num_positives = num_positives.clamp(min=0)
    return log_z - (beta * center_part + alpha * positive_part) / (
        beta + alpha * num_positives
    )


def contrast_logsumexp(
    features: Tensor,
    extra_features: Optional[Tensor],
    temperature: float,
    tile_elements: int = _TILE_ELEMENTS,
) -> Tensor:
    """Log of the summed exponentials of each anchor's similarities.

    ``out_i = log sum_j exp(<f_i, g_j> / temperature)``, where g runs over
    all other anchors and all extra rows.

    Args:
        features (Tensor): Anchors f of shape (N, D).
        extra_features (Tensor, optional): More contrasts, of shape (M, D).
        temperature (float): What divides the similarities.
        tile_elements (int): Similarities held at a time; at least one row of
            them is.

    Returns:
        Tensor: Shape (N, ); minus infinity where an anchor has no contrast.
    """
    columns = features.shape[0]
    if extra_features is not None:
        columns += extra_features.shape[0]
    tile_rows = max(1, tile_elements // max(1, columns))
    out: Tensor = _ContrastLogSumExp.apply(
        features, extra_features, temperature, tile_rows
    )
    return out


def _tiles(num_rows: int, tile_rows: int) -> Iterator[slice]:
    for start in range(0, num_rows, tile_rows):
        yield slice(start, min(start + tile_rows, num_rows))


def _own_similarities(
    features: Tensor, tile: slice, temperature: float
) -> Tensor:
    similarities = (features[tile] / temperature) @ features.t()
    similarities.diagonal(tile.start).fill_(-math.inf)
    return similarities


class _ContrastLogSumExp(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        features: Tensor,
        extra: Optional[Tensor],
        temperature: float,
        tile_rows: int,
    ) -> Tensor:
        out = features.new_empty(features.shape[0])
        for tile in _tiles(features.shape[0], tile_rows):
            rows = features[tile] / temperature
            out[tile] = _own_similarities(
                features, tile, temperature
            ).logsumexp(1)
            if extra is not None and extra.shape[0] > 0:
                out[tile] = torch.logaddexp(
                    out[tile], (rows @ extra.t()).logsumexp(1)
                )
        ctx.save_for_backward(features, extra, out)
        ctx.temperature = temperature
        ctx.tile_rows = tile_rows
        return out

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, grad: Tensor
    ) -> tuple[Optional[Tensor], Optional[Tensor], None, None]:
        features, extra, out = ctx.saved_tensors
        wants_features, wants_extra = ctx.needs_input_grad[:2]
        # An anchor without contrasts has probabilities of zero, not of nan.
        out = out.masked_fill(out == -math.inf, 0).unsqueeze(1)
        scale = (grad / ctx.temperature).unsqueeze(1)
        grad_features = torch.zeros_like(features) if wants_features else None
        grad_extra = torch.zeros_like(extra) if wants_extra else None
        for tile in _tiles(features.shape[0], ctx.tile_rows):
            if grad_features is not None:
                weights = _own_similarities(features, tile, ctx.temperature)
                weights = weights.sub_(out[tile]).exp_().mul_(scale[tile])
                grad_features[tile].addmm_(weights, features)
                grad_features.addmm_(weights.t(), features[tile])
            if extra is not None and extra.shape[0] > 0:
                weights = (features[tile] / ctx.temperature) @ extra.t()
                weights = weights.sub_(out[tile]).exp_().mul_(scale[tile])
                if grad_features is not None:
                    grad_features[tile].addmm_(weights, extra)
                if grad_extra is not None:
                    grad_extra.addmm_(weights.t(), features[tile])
        return grad_features, grad_extra, None, None
