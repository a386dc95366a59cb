"""The part of log Z that sees all pairs, without the matrix of all pairs.

Taken by kernels, or by tiles, or by an operator that a compiler need not look
into and that takes one of both when it runs.
"""

from typing import Any, Optional

import torch
from torch import Tensor

from .contrast_ops import TRACED
from .contrast_range import is_bounded
from .contrast_tiles import (
    LOG2_E,
    Tiles,
    row_gradient,
    row_sums,
    upper_gradient,
    upper_sums,
)
from .kernels import kernels_for, num_products
from .once import differentiable_once
from .readable import has_values


def contrast_logsumexp(
    features: Tensor,
    extra_features: Optional[Tensor],
    temperature: float,
    tile_elements: Optional[int] = None,
    under_autocast: bool = False,
) -> Tensor:
    """Log of the summed exponentials of each anchor's similarities.

    ``out_i = log sum_j exp(<f_i, g_j> / temperature)``, where g runs over
    all other anchors and all extra rows, of the same image.

    Args:
        features (Tensor): Anchors f of shape (N, D), or (B, N, D).
        extra_features (Tensor, optional): More contrasts, of shape (M, D),
            or (B, M, D).
        temperature (float): What divides the similarities.
        tile_elements (int, optional): Similarities held at a time, in tiles.
            Defaults to what suits the device, or to no tiles.
        under_autocast (bool): Whether products may be as exact as those of
            half precision, where kernels take them. Defaults to False.

    Returns:
        Tensor: Shape (N, ), or (B, N); minus infinity where an anchor has no
        contrast.
    """
    if extra_features is not None and not extra_features.shape[-2]:
        extra_features = None
    if tile_elements is None:
        found = _in_one_call(
            features, extra_features, temperature, under_autocast
        )
        if found is not None:
            return found
    bounded = is_bounded(features, extra_features, temperature)

    def tiled(rows: Tensor, extra: Optional[Tensor]) -> Tensor:
        tiles = Tiles.of(rows, temperature, tile_elements)
        return _log2_sums(rows, extra, tiles, bounded)

    if features.dim() == 2:
        return tiled(features, extra_features) / LOG2_E
    extras = (
        [None] * len(features) if extra_features is None else (extra_features)
    )
    images = [tiled(*rows) for rows in zip(features, extras)]
    return torch.stack(images) / LOG2_E


def _in_one_call(
    features: Tensor,
    extra_features: Optional[Tensor],
    temperature: float,
    under_autocast: bool,
) -> Optional[Tensor]:
    """Take all images at once, if an operator or kernels do."""
    traced: Any = None if has_values(features) else TRACED
    kernels = None if traced else kernels_for(features)
    if traced is None and kernels is None:
        return None
    shape = features.shape[:-1]
    if features.dim() == 2:
        features = features[None]
        if extra_features is not None:
            extra_features = extra_features[None]
    if kernels is None:
        out = traced(features, extra_features, temperature, under_autocast)
        out = out / LOG2_E
    else:
        out = kernels.contrast(
            features,
            extra_features,
            temperature,
            num_products(under_autocast),
            not is_bounded(features, extra_features, temperature),
        )
    found: Tensor = out.view(shape)
    return found


class _UpperContrast(torch.autograd.Function):
    """Each anchor against all others, if similarities are bounded."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, tiles: Tiles) -> Tensor:
        log2_z = upper_sums(features, tiles)
        ctx.save_for_backward(features, log2_z)
        ctx.tiles = tiles
        return log2_z

    @staticmethod
    @differentiable_once
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        features, log2_z = ctx.saved_tensors
        return upper_gradient(grad, log2_z, features, ctx.tiles), None


class _RowContrast(torch.autograd.Function):
    """Each anchor against rows that are given."""

    @staticmethod
    def forward(
        ctx: Any,
        features: Tensor,
        contrasts: Tensor,
        tiles: Tiles,
        is_bounded: bool,
        excludes_self: bool,
        needs_mean: bool,
    ) -> Tensor:
        log2_z, mean = row_sums(
            features, contrasts, tiles, is_bounded, excludes_self, needs_mean
        )
        ctx.save_for_backward(features, contrasts, log2_z, mean)
        ctx.tiles = tiles
        ctx.excludes_self = excludes_self
        return log2_z

    @staticmethod
    @differentiable_once
    def backward(ctx: Any, grad: Tensor) -> tuple[Optional[Tensor], ...]:
        features, contrasts, log2_z, mean = ctx.saved_tensors
        of_features = of_contrasts = None
        if mean is not None:
            of_features = mean * (grad * ctx.tiles.scale)[:, None]
        if ctx.needs_input_grad[1]:
            of_contrasts = contrasts.new_zeros(contrasts.shape)
            row_gradient(
                *(grad, log2_z, features, contrasts, ctx.tiles),
                *(ctx.excludes_self, None, of_contrasts),
            )
        return (of_features, of_contrasts, *[None] * 4)


def _log2_sums(
    features: Tensor,
    extra_features: Optional[Tensor],
    tiles: Tiles,
    is_bounded: bool,
) -> Tensor:
    """Logarithms to the base 2 of the sums, of one image.

    Args:
        features (Tensor): Anchors of shape (N, D).
        extra_features (Tensor, optional): More contrasts, (M, D).
        tiles (Tiles): How similarities are cut.
        is_bounded (bool): Whether exponentials are safe without a shift.

    Returns:
        Tensor: Shape (N, ).
    """

    def against(contrasts: Tensor, excludes_self: bool) -> Tensor:
        needs_mean = torch.is_grad_enabled() and features.requires_grad
        found: Tensor = _RowContrast.apply(
            *(features, contrasts, tiles, is_bounded),
            *(excludes_self, needs_mean),
        )
        return found

    if is_bounded:
        out: Tensor = _UpperContrast.apply(features, tiles)
    else:
        out = against(features, True)
    if extra_features is not None:
        out = torch.logaddexp2(out, against(extra_features, False))
    return out
