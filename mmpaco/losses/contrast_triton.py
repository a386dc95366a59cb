"""The part of log Z that sees all pairs, in fused kernels for a GPU.

Sums of exponentials and their gradient, without similarities in memory. Of
the equations of :mod:`mmpaco.losses.contrast`: with E_ij the exponential of a
similarity, Z_i the sum of row i and a_i = g_i / (tau Z_i), the gradient is

    dF_i = sum over j != i of E_ij (a_i + a_j) f_j + a_i sum over m of E_im q_m

The row and the column part of the symmetric matrix are one sum over columns,
so that every number is written by one program: no atomics, the same bits in
every run.

Rows are multiplied in float16, times 256, in three products of what they are
rounded to and what that loses, which is as exact as float32; or in one, as
exact as TF32. This module is imported where Triton is there, on first use.
"""

import functools
from typing import Any, NamedTuple, Optional

import torch
import triton
from torch import Tensor

from .once import differentiable_once
from .triton_kernels import (
    collect_kernel,
    finish_kernel,
    gradient_kernel,
    split_kernel,
    sums_kernel,
    weights_kernel,
)
from .triton_launch import LOG2_E, SCALE, Launch, blocks_for, parts_for

# Weights of pairs are brought to at most that: float16 ends at 65504.
_LARGEST_WEIGHT = 2.0**14


class _Operands(NamedTuple):
    """Rows of shape (B, N, width) in float16, and what that lost."""

    high: Tensor
    low: Tensor


# Columns, with the weights (B, N) of the rows and (B, M) of the columns.
_Columns = tuple[_Operands, Optional[Tensor], Optional[Tensor]]


def _split(rows: Tensor, products: int) -> _Operands:
    images, num_rows, channels = rows.shape
    width = max(16, triton.next_power_of_2(channels))
    high = rows.new_empty(images, num_rows, width, dtype=torch.float16)
    low = torch.empty_like(high) if products == 3 else high
    block = max(1, 4096 // width)
    if num_rows:
        split_kernel[triton.cdiv(num_rows, block), images](
            rows,
            high,
            low,
            num_rows,
            *rows.stride(),
            CHANNELS=channels,
            WIDTH=width,
            BLOCK=block,
            SCALE=SCALE,
            HAS_LOW=products == 3,
        )
    return _Operands(high, low)


def log2_sums(
    features: _Operands, extra: Optional[_Operands], launch: Launch
) -> Tensor:
    """Logarithms to the base 2 of the sums of exponentials, (B, N)."""
    images, num_rows, width = features.high.shape
    device = features.high.device
    blocks, _ = blocks_for(launch, width, device)
    columns = [features] + ([] if extra is None else [extra])
    parts = [
        parts_for(num_rows, x.high.shape[1], images, blocks, device)
        for x in columns
    ]
    slots = sum(parts)
    totals = torch.empty(
        images, slots, num_rows, device=device, dtype=torch.float32
    )
    tops = torch.empty_like(totals) if launch.is_safe else totals
    first_slot = 0
    for k, num_parts in zip(columns, parts):
        num_columns = k.high.shape[1]
        sums_kernel[triton.cdiv(num_rows, blocks.rows), num_parts, images](
            *features,
            *k,
            totals,
            tops,
            num_rows,
            num_columns,
            launch.factor,
            triton.cdiv(triton.cdiv(num_columns, blocks.columns), num_parts),
            first_slot,
            num_rows * width,
            num_columns * width if len(k.high) > 1 else 0,
            slots * num_rows,
            OWN=k is features,
            **launch.options(width, blocks),
        )
        first_slot += num_parts
    log2_z = torch.empty(images, num_rows, device=device, dtype=torch.float32)
    finish_kernel[triton.cdiv(num_rows, 256), images](
        totals, tops, log2_z, num_rows, slots, SAFE=launch.is_safe, BLOCK=256
    )
    return log2_z


def weighted_sums(
    rows: _Operands,
    columns: list[_Columns],
    log2_z: Tensor,
    back: Tensor,
    channels: int,
    launch: Launch,
) -> Tensor:
    """Columns weighted by the gradient of their pairs, (B, N, D).

    Args:
        rows (_Operands): Rows.
        columns (list): Columns with weights, either of which may be None.
        log2_z (Tensor): Logarithms of the sums of the anchors, (B, N).
        back (Tensor): What the sums are multiplied by.
        channels (int): The embedding size D.
        launch (Launch): Options.
    """
    images, num_rows, width = rows.high.shape
    device = rows.high.device
    _, blocks = blocks_for(launch, width, device)
    parts = [
        parts_for(num_rows, k.high.shape[1], images, blocks, device)
        for k, _, _ in columns
    ]
    slots = sum(parts)
    outs = log2_z.new_empty(images, slots, num_rows, width)
    first_slot = 0
    for (k, of_rows, of_columns), num_parts in zip(columns, parts):
        num_columns = k.high.shape[1]
        # What a kernel does not read may be anything.
        any_weight = of_rows if of_columns is None else of_columns
        gradient_kernel[triton.cdiv(num_rows, blocks.rows), num_parts, images](
            *rows,
            *k,
            any_weight if of_rows is None else of_rows,
            log2_z,
            any_weight if of_columns is None else of_columns,
            log2_z,
            outs,
            num_rows,
            num_columns,
            launch.factor,
            triton.cdiv(triton.cdiv(num_columns, blocks.columns), num_parts),
            first_slot,
            num_rows * width,
            num_columns * width if len(k.high) > 1 else 0,
            num_rows,
            num_columns,
            slots * num_rows * width,
            OWN=k is rows,
            BY_ROW=of_rows is not None,
            BY_COLUMN=of_columns is not None,
            **launch.options(width, blocks),
        )
        first_slot += num_parts
    grad = log2_z.new_empty(images, num_rows, channels)
    block = max(1, 4096 // width)
    collect_kernel[triton.cdiv(num_rows, block), images](
        outs,
        back,
        grad,
        num_rows,
        slots,
        CHANNELS=channels,
        WIDTH=width,
        BLOCK=block,
    )
    return grad


class _Contrast(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, features: Tensor, extra: Optional[Tensor], launch: Launch
    ) -> Tensor:
        rows = _split(features, launch.products)
        more = None if extra is None else _split(extra, launch.products)
        log2_z = log2_sums(rows, more, launch)
        out = log2_z / LOG2_E
        # An output, of all that is saved, has the graph of the features.
        ctx.save_for_backward(
            out, log2_z, *rows, *(() if more is None else more)
        )
        ctx.launch = launch
        ctx.channels = features.shape[2]
        return out

    @staticmethod
    @differentiable_once
    def backward(ctx: Any, grad: Tensor) -> tuple[Optional[Tensor], ...]:
        _, log2_z, *saved = ctx.saved_tensors
        rows = _Operands(*saved[:2])
        more = _Operands(*saved[2:]) if len(saved) > 2 else None
        of_extra = more is not None and ctx.needs_input_grad[1]
        found = _gradients(
            *(grad, log2_z, rows, more, ctx.channels, ctx.launch, of_extra),
            ctx.launch.temperature,
        )
        return *found, None


def _gradients(
    grad: Tensor,
    log2_z: Tensor,
    rows: _Operands,
    more: Optional[_Operands],
    channels: int,
    launch: Launch,
    of_extra: bool,
    divisor: float,
) -> tuple[Tensor, Optional[Tensor]]:
    """To anchors and extra rows.

    The divisor of weights is the temperature for the natural logarithms of the
    sums; for those to the base 2 it is less.
    """
    weight, back = torch.empty_like(log2_z), log2_z.new_empty(1)
    weights_kernel[1,](
        grad.contiguous(),
        log2_z,
        weight,
        back,
        log2_z.numel(),
        _LARGEST_WEIGHT,
        SCALE,
        divisor,
        SAFE=launch.is_safe,
        BLOCK=4096,
        num_warps=16,
    )
    columns: list[_Columns] = [(rows, weight, weight)]
    if more is not None:
        columns.append((more, weight, None))
    found = weighted_sums(rows, columns, log2_z, back, channels, launch)
    if more is None or not of_extra:
        return found, None
    own: list[_Columns] = [(rows, None, weight)]
    return found, weighted_sums(more, own, log2_z, back, channels, launch)


def _on_device_of(tensor: Tensor) -> Any:
    # Triton launches on the current device, autograd on that of a gradient.
    device_of: Any = torch.cuda.device_of
    return device_of(tensor)


def log2_sums_of(
    features: Tensor,
    extra_features: Optional[Tensor],
    temperature: float,
    products: int,
    is_safe: bool,
) -> Tensor:
    """Logarithms to the base 2 of the sums; no graph is made.

    Args:
        features (Tensor): This and all others are as in :func:`contrast`.
        extra_features (Tensor, optional): As there.
        temperature (float): As there.
        products (int): As there.
        is_safe (bool): As there.

    Returns:
        Tensor: Shape (B, N).
    """
    with _on_device_of(features):
        return log2_sums(
            _split(features, products),
            None
            if extra_features is None
            else _split(extra_features, products),
            Launch(temperature, products, is_safe),
        )


def gradient_of(
    grad: Tensor,
    log2_z: Tensor,
    features: Tensor,
    extra_features: Optional[Tensor],
    temperature: float,
    products: int,
    is_safe: bool,
    of_extra: bool,
) -> tuple[Tensor, Tensor]:
    """The gradient of :func:`log2_sums_of`, from its inputs.

    Args:
        grad (Tensor): What comes in, of shape (B, N).
        log2_z (Tensor): What :func:`log2_sums_of` gave.
        features (Tensor): This and the next are as in :func:`contrast`.
        extra_features (Tensor, optional): As there.
        temperature (float): As there.
        products (int): As there.
        is_safe (bool): As there.
        of_extra (bool): Whether that of the extra rows is wanted.

    Returns:
        tuple[Tensor, Tensor]: Of the shapes of both, the second of shape
        (0, ) if it is not wanted.
    """
    with _on_device_of(features):
        found, more = _gradients(
            grad,
            log2_z,
            _split(features, products),
            None
            if extra_features is None
            else _split(extra_features, products),
            features.shape[2],
            Launch(temperature, products, is_safe),
            of_extra,
            temperature / LOG2_E,
        )
    return found, features.new_empty(0) if more is None else more


def contrast(
    features: Tensor,
    extra_features: Optional[Tensor],
    temperature: float,
    products: int,
    is_safe: bool = False,
) -> Tensor:
    """Log of the summed exponentials, of a batch of images.

    Args:
        features (Tensor): Anchors of shape (B, N, D), D at most 256.
        extra_features (Tensor, optional): More contrasts, (B, M, D), M > 0.
        temperature (float): What divides the similarities.
        products (int): 3, as exact as float32, or 1, as TF32.
        is_safe (bool): Whether exponentials are taken with a running
            maximum, for temperatures below 1/40 and rows longer than one.

    Returns:
        Tensor: Shape (B, N); minus infinity where an anchor has no contrast.
    """
    launch = Launch(temperature, products, is_safe)
    with _on_device_of(features):
        found: Tensor = _Contrast.apply(features, extra_features, launch)
    return found


@functools.cache
def try_out(device: torch.device) -> None:
    """Compile a kernel and run it, once for a device.

    Args:
        device (torch.device): A device of CUDA.
    """
    with torch.cuda.device(device):
        _split(torch.ones(1, 4, 16, device=device), 3)
