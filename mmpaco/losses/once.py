"""Gradients that have no gradient of their own."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class _Refusal(torch.autograd.Function):
    """A gradient that depends on what it was made of, and cannot say how."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, *sources: Tensor) -> Tensor:
        return gradient.view_as(gradient)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, ...]:
        raise RuntimeError(
            'the tiled form of a contrast cannot be differentiated twice; use '
            "impl='dense' in the loss"
        )


def differentiable_once(
    backward: Callable[..., tuple[Any, ...]],
) -> Callable[..., tuple[Any, ...]]:
    """Have a second derivative raise, where it would be silently wrong.

    PyTorch's own decorator does so only if the gradient that comes in has a
    graph; that of a mean has none.

    Args:
        backward (Callable): The backward of an autograd function that saves
            an input or an output: what it made on the way has no graph.

    Returns:
        Callable: The same, whose results raise if differentiated.
    """

    def run(ctx: Any, *grads: Any) -> tuple[Any, ...]:
        with torch.no_grad():
            found = backward(ctx, *grads)
        if not torch.is_grad_enabled():
            return found
        sources = [
            x
            for x in (*ctx.saved_tensors, *grads)
            if x is not None and x.requires_grad
        ]
        return tuple(
            x if x is None or not sources else _Refusal.apply(x, *sources)
            for x in found
        )

    return run
