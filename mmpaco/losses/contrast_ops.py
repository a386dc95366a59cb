"""The contrast as operators of PyTorch, for tensors that are traced.

A compiler, or a fake tensor, sees their names and shapes. Whether kernels or
tiles take them is decided when they run, by the tensors that come then: Triton
never meets one without values, and a graph is as good for any number of rows.
A call takes longer to get to its kernels than an autograd function does, so
plain tensors go without.
"""

from collections.abc import Callable, Sequence
from typing import Any, Optional

import torch
from torch import Tensor

from .contrast_range import is_bounded
from .contrast_tiles import (
    Tiles,
    row_gradient,
    row_sums,
    upper_gradient,
    upper_sums,
)
from .kernels import kernels_for, num_products

_INPUTS = (
    'Tensor features, Tensor? extra_features, float temperature, '
    'bool under_autocast'
)


def contrast_log2_sums(
    features: Tensor,
    extra_features: Optional[Tensor],
    temperature: float,
    under_autocast: bool,
) -> Tensor:
    """Logarithms to the base 2 of the sums of exponentials.

    Args:
        features (Tensor): Anchors of shape (B, N, D).
        extra_features (Tensor, optional): More contrasts, (B, M, D).
        temperature (float): What divides the similarities.
        under_autocast (bool): Whether half precision is good enough.

    Returns:
        Tensor: Shape (B, N).
    """
    bounded = is_bounded(features, extra_features, temperature)
    if kernels := kernels_for(features):
        found: Tensor = kernels.log2_sums_of(
            *(features, extra_features, temperature),
            *(num_products(under_autocast), not bounded),
        )
        return found
    log2_z = features.new_empty(features.shape[:2])
    for i, rows in enumerate(features):
        tiles = Tiles.of(rows, temperature)
        if bounded:
            own = upper_sums(rows, tiles)
        else:
            own, _ = row_sums(rows, rows, tiles, bounded, True)
        if extra_features is not None:
            more, _ = row_sums(rows, extra_features[i], tiles, bounded, False)
            own = torch.logaddexp2(own, more)
        log2_z[i] = own
    return log2_z


def contrast_gradient(
    grad: Tensor,
    log2_z: Tensor,
    features: Tensor,
    extra_features: Optional[Tensor],
    temperature: float,
    under_autocast: bool,
    of_extra: bool,
) -> tuple[Tensor, Tensor]:
    """The gradient of :func:`contrast_log2_sums`.

    Args:
        grad (Tensor): What comes in, of shape (B, N).
        log2_z (Tensor): What :func:`contrast_log2_sums` gave.
        features (Tensor): As there.
        extra_features (Tensor, optional): As there.
        temperature (float): As there.
        under_autocast (bool): As there.
        of_extra (bool): Whether that of the extra rows is wanted.

    Returns:
        tuple[Tensor, Tensor]: Of the shapes of both, the second of shape
        (0, ) if it is not wanted.
    """
    bounded = is_bounded(features, extra_features, temperature)
    if kernels := kernels_for(features):
        found: tuple[Tensor, Tensor] = kernels.gradient_of(
            *(grad, log2_z, features, extra_features, temperature),
            *(num_products(under_autocast), not bounded, of_extra),
        )
        return found
    of_features, of_more = _no_gradients(features, extra_features, of_extra)
    for i, rows in enumerate(features):
        tiles = Tiles.of(rows, temperature)
        given = grad[i], log2_z[i], rows
        out = of_features[i]
        if bounded:
            out.copy_(upper_gradient(*given, tiles))
        else:
            row_gradient(*given, rows, tiles, True, out, out)
        if extra_features is not None:
            more = of_more[i] if of_extra else None
            row_gradient(*given, extra_features[i], tiles, False, out, more)
    return of_features, of_more


def _no_gradients(
    features: Tensor, extra_features: Optional[Tensor], of_extra: bool
) -> tuple[Tensor, Tensor]:
    more: Sequence[int] = (0,)
    if of_extra and extra_features is not None:
        more = extra_features.shape
    # Not zeros_like, which takes the strides of a transposed view.
    return features.new_zeros(features.shape), features.new_zeros(more)


def _save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    features, extra_features, *ctx.options = inputs
    ctx.save_for_backward(features, extra_features, output)


def _backward(ctx: Any, grad: Tensor) -> tuple[Optional[Tensor], ...]:
    features, extra_features, log2_z = ctx.saved_tensors
    of_extra = extra_features is not None and ctx.needs_input_grad[1]
    found, more = torch.ops.mmpaco.contrast_gradient(
        *(grad, log2_z, features, extra_features),
        *(*ctx.options, of_extra),
    )
    return found, more if of_extra else None, None, None


def _register() -> Optional[Callable[..., Tensor]]:
    # torch 2.4 is the first that has it.
    custom_op: Any = getattr(torch.library, 'custom_op', None)
    if custom_op is None:
        return None
    sums = custom_op(
        'mmpaco::contrast_log2_sums',
        contrast_log2_sums,
        mutates_args=(),
        schema=f'({_INPUTS}) -> Tensor',
    )
    sums.register_fake(
        lambda features, *args: features.new_empty(features.shape[:2])
    )
    sums.register_autograd(_backward, setup_context=_save)
    custom_op(
        'mmpaco::contrast_gradient',
        contrast_gradient,
        mutates_args=(),
        schema=f'(Tensor grad, Tensor log2_z, {_INPUTS}, bool of_extra) -> '
        '(Tensor, Tensor)',
    ).register_fake(
        lambda grad, log2_z, features, extra_features, *args: _no_gradients(
            features, extra_features, args[-1]
        )
    )
    found: Callable[..., Tensor] = torch.ops.mmpaco.contrast_log2_sums
    return found


# The first operator, or None.
TRACED = _register()
