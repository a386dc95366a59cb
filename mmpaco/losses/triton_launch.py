"""How the kernels of pairs are launched, for cards and sizes."""

import functools
import math
from typing import Any, NamedTuple

import torch
import triton

__all__ = [
    'AMPERE',
    'HOPPER',
    'SCALE',
    'Blocks',
    'Launch',
    'blocks_for',
    'parts_for',
]

LOG2_E = math.log2(math.e)
# Rows are multiplied by it before they are rounded, so that what rounding
# loses is no subnormal number of float16. Components up to 255 fit.
SCALE = 2.0**8


class Blocks(NamedTuple):
    """How a kernel of pairs is launched.

    Args:
        rows (int): Rows of a program.
        columns (int): Columns that it takes at a time.
        warps (int): Warps of a program.
        stages (int): Blocks of columns that are loaded ahead.
    """

    rows: int
    columns: int
    warps: int
    stages: int


# By products and width: of the sums, and of the gradient. Those of Hopper were
# the fastest of those tried on an H200; those of Ampere fit its shared memory
# and spill no registers, but were not timed.
HOPPER = {
    (1, 64): (Blocks(64, 128, 4, 3), Blocks(64, 128, 4, 3)),
    (3, 64): (Blocks(128, 128, 8, 2), Blocks(64, 64, 4, 3)),
    (1, 128): (Blocks(128, 128, 8, 2), Blocks(64, 64, 4, 3)),
    (3, 128): (Blocks(128, 64, 8, 3), Blocks(128, 128, 8, 2)),
    (1, 256): (Blocks(64, 64, 4, 2), Blocks(64, 64, 4, 2)),
    (3, 256): (Blocks(128, 64, 8, 1), Blocks(128, 64, 8, 1)),
}
AMPERE = {
    (1, 64): (Blocks(64, 64, 4, 2), Blocks(64, 64, 4, 2)),
    (3, 64): (Blocks(64, 64, 4, 2), Blocks(64, 32, 8, 2)),
    (1, 128): (Blocks(64, 64, 4, 2), Blocks(64, 64, 4, 2)),
    (3, 128): (Blocks(64, 32, 8, 2), Blocks(64, 32, 8, 2)),
    (1, 256): (Blocks(64, 32, 8, 2), Blocks(64, 32, 8, 2)),
    (3, 256): (Blocks(64, 16, 8, 1), Blocks(64, 16, 8, 1)),
}


@functools.cache
def _blocks_of(device: torch.device) -> dict[tuple[int, int], Any]:
    if device.type != 'cuda':
        return AMPERE
    properties = torch.cuda.get_device_properties(device)
    # Others, whatever their capability, may have Ampere's shared memory.
    is_hopper = (properties.major, properties.minor) == (9, 0)
    return HOPPER if is_hopper else AMPERE


@functools.cache
def _num_multiprocessors(device: torch.device) -> int:
    if device.type != 'cuda':
        return 4
    return torch.cuda.get_device_properties(device).multi_processor_count


def parts_for(
    num_rows: int, num_columns: int, images: int, blocks: Blocks, device: Any
) -> int:
    """Programs that share a block of rows: the fewest that fill the card."""
    slots = 2 * _num_multiprocessors(device)
    programs = triton.cdiv(num_rows, blocks.rows) * images
    most = triton.cdiv(num_columns, blocks.columns)
    best, best_use = 1, 0.0
    for parts in range(1, min(most, 64) + 1):
        waves = triton.cdiv(programs * parts, slots)
        use = programs * parts / (waves * slots)
        if use > best_use + 1e-9:
            best, best_use = parts, use
        if use >= 0.9:
            break
    return best


class Launch(NamedTuple):
    """What all launches of a call share."""

    temperature: float
    products: int
    is_safe: bool

    @property
    def factor(self) -> float:
        """From a product of operands to the base-2 similarity."""
        return LOG2_E / self.temperature / SCALE**2

    def options(self, width: int, blocks: Blocks) -> dict[str, Any]:
        """Give what a kernel of pairs is compiled for."""
        return dict(
            SAFE=self.is_safe,
            PRODUCTS=self.products,
            WIDTH=width,
            ROWS=blocks.rows,
            COLUMNS=blocks.columns,
            num_warps=blocks.warps,
            num_stages=blocks.stages,
        )


def blocks_for(
    launch: Launch, width: int, device: torch.device
) -> tuple[Blocks, Blocks]:
    """Give the blocks of the sums, and those of the gradient."""
    found: tuple[Blocks, Blocks] = _blocks_of(device)[
        launch.products, max(64, width)
    ]
    return found
