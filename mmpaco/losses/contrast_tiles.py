"""The contrast in tiles of PyTorch's own operations.

Similarities are made a tile at a time, in the forward pass and again where a
gradient needs them, so memory is linear in the rows. Of anchors against
themselves only the tiles above the diagonal are made: each serves its rows and
its columns, which takes two products of N x N x D instead of three.

All exponentials and logarithms are to the base 2, which takes half of the time
of those to the base e.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple, Optional

import torch
from torch import Tensor

# Similarities held at a time. Two such tiles stay in the cache of a processor;
# a device wants larger ones, since each operation has to be launched.
_HOST_TILE, _DEVICE_TILE = 2**19, 2**22
# Products of a device are made of blocks of that many rows and columns, a few
# hundred at a time: a block that is cut takes as long as a whole one.
_DEVICE_BLOCK = 128
LOG2_E = math.log2(math.e)


class Tiles(NamedTuple):
    """How similarities are cut.

    Args:
        rows (int): Rows of a tile, at most.
        columns (int): Its columns, at most.
        temperature (float): What divides the similarities.
    """

    rows: int
    columns: int
    temperature: float

    @classmethod
    def of(
        cls,
        features: Tensor,
        temperature: float,
        elements: Optional[int] = None,
    ) -> 'Tiles':
        """Cut the similarities of some anchors.

        Args:
            features (Tensor): Anchors, of shape (N, D).
            temperature (float): What divides the similarities.
            elements (int, optional): Similarities held at a time. Defaults to
                what suits the device.

        Returns:
            Tiles: Of no more elements.
        """
        block = 1
        if elements is None:
            elements = _HOST_TILE
            if not features.is_cpu:
                elements, block = _DEVICE_TILE, _DEVICE_BLOCK
        # Long tiles waste less on the diagonal than square ones.
        rows = _whole_blocks(math.isqrt(elements // 2), block)
        rows = max(1, min(len(features), rows))
        return cls(rows, _whole_blocks(elements // rows, block), temperature)

    def of_rows(self, start: int, stop: int) -> Iterator[slice]:
        """Cut rows."""
        return _cut(start, stop, self.rows)

    def of_columns(self, start: int, stop: int) -> Iterator[slice]:
        """Cut columns."""
        return _cut(start, stop, self.columns)

    @property
    def scale(self) -> float:
        """What similarities are multiplied by, to the base 2."""
        return LOG2_E / self.temperature

    def buffer(self, features: Tensor, num_columns: int) -> Tensor:
        """Take the memory of a tile."""
        return features.new_empty(self.rows * min(self.columns, num_columns))


def _whole_blocks(size: int, block: int) -> int:
    return max(1, size if size < block else size // block * block)


def _cut(start: int, stop: int, size: int) -> Iterator[slice]:
    for first in range(start, stop, size):
        yield slice(first, min(first + size, stop))


def _tile_of(buffer: Tensor, rows: slice, columns: slice) -> Tensor:
    height, width = rows.stop - rows.start, columns.stop - columns.start
    return buffer[: height * width].view(height, width)


def _upper_tiles(
    features: Tensor, tiles: Tiles
) -> Iterator[tuple[slice, slice, int, Tensor]]:
    """Exponentials of the tiles on and above the diagonal.

    Yields:
        The rows, the columns, how many of these, the first ones, are the
        rows themselves, and the tile, zero on the diagonal.
    """
    num_rows = features.shape[0]
    scaled = features * tiles.scale
    buffer = tiles.buffer(features, num_rows)
    for rows in tiles.of_rows(0, num_rows):
        for columns in tiles.of_columns(rows.start, num_rows):
            tile = _tile_of(buffer, rows, columns)
            torch.mm(scaled[rows], features[columns].t(), out=tile)
            tile.exp2_()
            is_first = columns.start == rows.start
            if is_first:
                tile.diagonal().zero_()
            yield rows, columns, tile.shape[0] if is_first else 0, tile


def _row_tiles(
    features: Tensor, contrasts: Tensor, tiles: Tiles, excludes_self: bool
) -> Iterator[tuple[slice, slice, Tensor]]:
    """Similarities to the base 2, of all anchors to all contrasts.

    Yields:
        The anchors, the contrasts, and the tile. Its rows are contrasts:
        so both products of it are a little faster.
    """
    scaled = features * tiles.scale
    buffer = tiles.buffer(features, contrasts.shape[0])
    for rows in tiles.of_rows(0, features.shape[0]):
        for columns in tiles.of_columns(0, contrasts.shape[0]):
            tile = _tile_of(buffer, columns, rows)
            torch.mm(contrasts[columns], scaled[rows].t(), out=tile)
            if excludes_self:
                offset = columns.start - rows.start
                tile.diagonal(offset).fill_(-math.inf)
            yield rows, columns, tile


def upper_sums(features: Tensor, tiles: Tiles) -> Tensor:
    """Logarithms of the sums of each anchor against all others."""
    sums = features.new_zeros(features.shape[0])
    for rows, columns, own, tile in _upper_tiles(features, tiles):
        # Not +=, which copies a slice onto itself afterwards.
        sums[rows].add_(tile.sum(1))
        sums[columns][own:].add_(tile[:, own:].sum(0))
    return sums.log2()


def upper_gradient(
    grad: Tensor, log2_z: Tensor, features: Tensor, tiles: Tiles
) -> Tensor:
    """Their gradient."""
    # An anchor without contrasts has probabilities of zero, not of nan.
    factor = (grad * tiles.scale) * (-log2_z).exp2()
    factor = factor.masked_fill(log2_z == -math.inf, 0)
    found = features.new_zeros(features.shape)
    for rows, columns, own, tile in _upper_tiles(features, tiles):
        tile *= factor[rows, None] + factor[columns]
        found[rows].addmm_(tile, features[columns])
        found[columns][own:].addmm_(tile[:, own:].t(), features[rows])
    return found


def row_sums(
    features: Tensor,
    contrasts: Tensor,
    tiles: Tiles,
    is_bounded: bool,
    excludes_self: bool,
    needs_mean: bool = False,
) -> tuple[Tensor, Optional[Tensor]]:
    """Logarithms of the sums of each anchor against rows that are given.

    Where similarities are not bounded, exponentials are taken of what they
    differ from the largest one of the anchor so far.

    Returns:
        The logarithms, and the mean of the contrasts, weighted with their
        probabilities: the gradient, if it is wanted.
    """
    largest = features.new_full((features.shape[0],), -math.inf)
    sums = torch.zeros_like(largest)
    mean = features.new_zeros(features.shape) if needs_mean else None
    for rows, columns, tile in _row_tiles(
        features, contrasts, tiles, excludes_self
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
    log2_z = sums.log2()
    if not is_bounded:
        log2_z += largest
    if mean is not None:
        mean /= sums.masked_fill(sums == 0, 1)[:, None]
    return log2_z, mean


def row_gradient(
    grad: Tensor,
    log2_z: Tensor,
    features: Tensor,
    contrasts: Tensor,
    tiles: Tiles,
    excludes_self: bool,
    of_features: Optional[Tensor],
    of_contrasts: Optional[Tensor],
) -> None:
    """Add their gradients to what is given, to one or both."""
    log2_z = log2_z.masked_fill(log2_z == -math.inf, 0)
    scale = grad * tiles.scale
    for rows, columns, tile in _row_tiles(
        features, contrasts, tiles, excludes_self
    ):
        tile.sub_(log2_z[rows]).exp2_().mul_(scale[rows])
        if of_features is not None:
            of_features[rows].addmm_(tile.t(), contrasts[columns])
        if of_contrasts is not None:
            of_contrasts[columns].addmm_(tile, features[rows])
