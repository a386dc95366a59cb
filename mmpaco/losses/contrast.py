"""The part of log Z that sees all pairs, without the matrix of all pairs.

Similarities are made a tile at a time, in the forward pass and again where a
gradient needs them, so memory is linear in the rows. Of anchors against
themselves only the tiles above the diagonal are made: each serves its rows and
its columns, which takes two products of N x N x D instead of three.
"""

import math
from collections.abc import Iterator
from typing import Any, Optional

import torch
from torch import Tensor

from .kernels import kernels_for, num_products
from .once import differentiable_once
from .readable import is_readable

# Similarities held at a time. Two such tiles stay in the cache of a processor;
# a device wants larger ones, since each operation has to be launched.
_HOST_TILE, _DEVICE_TILE = 2**19, 2**22
# Similarities at which exponentials, their sums and reciprocals all stay well
# within the range of float32 (88).
_MAX_SIMILARITY = 40.0
_LOG2_E = math.log2(math.e)


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
        tile_elements (int, optional): Similarities held at a time. Defaults
            to what suits the device.
        under_autocast (bool): Whether products may be as exact as those of
            half precision, where kernels take them. Defaults to False.

    Returns:
        Tensor: Shape (N, ), or (B, N); minus infinity where an anchor has no
        contrast.
    """
    is_bounded = _is_bounded(features, extra_features, temperature)
    if tile_elements is None and (kernels := kernels_for(features)):
        is_image = features.dim() == 2
        out: Tensor = kernels.contrast(
            features[None] if is_image else features,
            extra_features[None]
            if is_image and extra_features is not None
            else extra_features,
            temperature,
            num_products(under_autocast),
            not is_bounded,
        )
        return out[0] if is_image else out
    if features.dim() == 3:
        extra = (
            [None] * len(features)
            if extra_features is None
            else (extra_features)
        )
        return torch.stack(
            [
                _tiled(*rows, temperature, tile_elements, is_bounded)
                for rows in zip(features, extra)
            ]
        )
    return _tiled(
        features, extra_features, temperature, tile_elements, is_bounded
    )


def _tiled(
    features: Tensor,
    extra_features: Optional[Tensor],
    temperature: float,
    tile_elements: Optional[int],
    is_bounded: bool,
) -> Tensor:
    if tile_elements is None:
        tile_elements = _HOST_TILE if features.is_cpu else _DEVICE_TILE
    shape = _tile_shape(tile_elements, features.shape[0])

    def against(contrasts: Tensor, excludes_self: bool) -> Tensor:
        needs_mean = torch.is_grad_enabled() and features.requires_grad
        found: Tensor = _RowContrast.apply(
            *(features, contrasts, temperature, shape),
            *(is_bounded, excludes_self, needs_mean),
        )
        return found

    if is_bounded:
        out: Tensor = _SymmetricContrast.apply(features, temperature, shape)
    else:
        out = against(features, True)
    if extra_features is not None and extra_features.shape[0] > 0:
        out = torch.logaddexp(out, against(extra_features, False))
    return out


def _is_bounded(
    features: Tensor, extra_features: Optional[Tensor], temperature: float
) -> bool:
    """Tell whether exponentials of similarities are safe without a shift.

    Unit rows are at most 1 / temperature similar. Whether rows are longer is
    read where nobody has to wait for it; elsewhere they are trusted not to
    be.
    """
    longest = 1.0
    for rows in (features, extra_features):
        if rows is not None and rows.numel() > 0 and is_readable(rows):
            longest = max(longest, float(rows.detach().norm(dim=-1).max()))
    return longest**2 / temperature <= _MAX_SIMILARITY


def _tile_shape(elements: int, num_rows: int) -> tuple[int, int]:
    # Long tiles waste less on the diagonal than square ones.
    rows = max(1, min(num_rows, math.isqrt(elements // 2)))
    return rows, max(1, elements // rows)


def _parts(start: int, stop: int, size: int) -> Iterator[slice]:
    for first in range(start, stop, size):
        yield slice(first, min(first + size, stop))


def _tile_buffer(
    features: Tensor, num_columns: int, shape: tuple[int, int]
) -> Tensor:
    return features.new_empty(shape[0] * min(shape[1], num_columns))


def _tile_of(buffer: Tensor, rows: slice, columns: slice) -> Tensor:
    height, width = rows.stop - rows.start, columns.stop - columns.start
    return buffer[: height * width].view(height, width)


def _upper_tiles(
    features: Tensor, temperature: float, shape: tuple[int, int]
) -> Iterator[tuple[slice, slice, int, Tensor]]:
    """Exponentials of the tiles on and above the diagonal.

    Yields:
        The rows, the columns, how many of these, the first ones, are the
        rows themselves, and the tile, zero on the diagonal.
    """
    num_rows = features.shape[0]
    scaled = features * (_LOG2_E / temperature)
    buffer = _tile_buffer(features, num_rows, shape)
    for rows in _parts(0, num_rows, shape[0]):
        for columns in _parts(rows.start, num_rows, shape[1]):
            tile = _tile_of(buffer, rows, columns)
            torch.mm(scaled[rows], features[columns].t(), out=tile)
            # exp2 takes half of the time of exp.
            tile.exp2_()
            is_first = columns.start == rows.start
            if is_first:
                tile.diagonal().zero_()
            yield rows, columns, tile.shape[0] if is_first else 0, tile


def _row_tiles(
    features: Tensor,
    contrasts: Tensor,
    temperature: float,
    shape: tuple[int, int],
    excludes_self: bool,
) -> Iterator[tuple[slice, slice, Tensor]]:
    """Similarities to the base 2, of all anchors to all contrasts.

    Yields:
        The anchors, the contrasts, and the tile. Its rows are contrasts:
        so both products of it are a little faster.
    """
    scaled = features * (_LOG2_E / temperature)
    buffer = _tile_buffer(features, contrasts.shape[0], shape)
    for rows in _parts(0, features.shape[0], shape[0]):
        for columns in _parts(0, contrasts.shape[0], shape[1]):
            tile = _tile_of(buffer, columns, rows)
            torch.mm(contrasts[columns], scaled[rows].t(), out=tile)
            if excludes_self:
                offset = columns.start - rows.start
                tile.diagonal(offset).fill_(-math.inf)
            yield rows, columns, tile


class _SymmetricContrast(torch.autograd.Function):
    """Each anchor against all others, if similarities are bounded."""

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, temperature: float, shape: tuple[int, int]
    ) -> Tensor:
        sums = features.new_zeros(features.shape[0])
        for rows, columns, own, tile in _upper_tiles(
            features, temperature, shape
        ):
            # Not +=, which copies a slice onto itself afterwards.
            sums[rows].add_(tile.sum(1))
            sums[columns][own:].add_(tile[:, own:].sum(0))
        out = sums.log()
        ctx.save_for_backward(features, out)
        ctx.temperature = temperature
        ctx.shape = shape
        return out

    @staticmethod
    @differentiable_once
    def backward(
        ctx: Any, grad: Tensor
    ) -> tuple[Optional[Tensor], None, None]:
        features, out = ctx.saved_tensors
        # An anchor without contrasts has probabilities of zero, not of nan.
        factor = (grad / ctx.temperature) * (-out).exp()
        factor = factor.masked_fill(out == -math.inf, 0)
        found = torch.zeros_like(features)
        for rows, columns, own, tile in _upper_tiles(
            features, ctx.temperature, ctx.shape
        ):
            tile *= factor[rows, None] + factor[columns]
            found[rows].addmm_(tile, features[columns])
            found[columns][own:].addmm_(tile[:, own:].t(), features[rows])
        return found, None, None


class _RowContrast(torch.autograd.Function):
    """Each anchor against rows that are given, whatever the similarities.

    Where they are not bounded, exponentials are taken of what they differ
    from the largest similarity of the anchor so far.
    """

    @staticmethod
    def forward(
        ctx: Any,
        features: Tensor,
        contrasts: Tensor,
        temperature: float,
        shape: tuple[int, int],
        is_bounded: bool,
        excludes_self: bool,
        needs_mean: bool,
    ) -> Tensor:
        largest = features.new_full((features.shape[0],), -math.inf)
        sums = torch.zeros_like(largest)
        # Of the contrasts, weighted with their probabilities: the gradient.
        mean = torch.zeros_like(features) if needs_mean else None
        for rows, columns, tile in _row_tiles(
            features, contrasts, temperature, shape, excludes_self
        ):
            if not is_bounded:
                before = largest[rows].clone()
                torch.maximum(before, tile.amax(0), out=largest[rows])
                shift = largest[rows]
                shift = shift.masked_fill(shift == -math.inf, 0)
                tile -= shift
                before = (before - shift).exp2_()
                sums[rows].mul_(before)
                if mean is not None:
                    mean[rows].mul_(before[:, None])
            tile.exp2_()
            sums[rows].add_(tile.sum(0))
            if mean is not None:
                mean[rows].addmm_(tile.t(), contrasts[columns])
        out = sums.log()
        if not is_bounded:
            out += largest / _LOG2_E
        if mean is not None:
            mean /= sums.masked_fill(sums == 0, 1)[:, None]
        ctx.save_for_backward(features, contrasts, out, mean)
        ctx.temperature = temperature
        ctx.shape = shape
        ctx.excludes_self = excludes_self
        return out

    @staticmethod
    @differentiable_once
    def backward(ctx: Any, grad: Tensor) -> tuple[Optional[Tensor], ...]:
        features, contrasts, out, mean = ctx.saved_tensors
        scale = grad / ctx.temperature
        of_features = None if mean is None else mean * scale[:, None]
        of_contrasts = None
        if ctx.needs_input_grad[1]:
            out = out.masked_fill(out == -math.inf, 0) * _LOG2_E
            of_contrasts = torch.zeros_like(contrasts)
            for rows, columns, tile in _row_tiles(
                features,
                contrasts,
                ctx.temperature,
                ctx.shape,
                ctx.excludes_self,
            ):
                tile.sub_(out[rows]).exp2_().mul_(scale[rows])
                of_contrasts[columns].addmm_(tile, features[rows])
        return (of_features, of_contrasts, *[None] * 5)
