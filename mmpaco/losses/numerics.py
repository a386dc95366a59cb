"""What all contrastive losses do around their equation."""

import contextlib
from contextlib import AbstractContextManager
from typing import Optional

import torch
from torch import Tensor

from .labels import is_counted


def no_autocast(tensor: Tensor) -> AbstractContextManager[None]:
    """Switch autocast off on the device of a tensor.

    Args:
        tensor (Tensor): Any tensor.

    Returns:
        AbstractContextManager: To enter with ``with``.
    """
    # The meta device, which has no kernels to cast for, refuses a context.
    if tensor.is_meta:
        return contextlib.nullcontext()
    return torch.autocast(tensor.device.type, enabled=False)


def reduce_anchors(
    loss: Tensor, labels: Tensor, ignore_index: Optional[int], reduction: str
) -> Tensor:
    """Reduce the losses of the anchors that are not ignored.

    Args:
        loss (Tensor): One loss for each anchor, of shape (N, ).
        labels (Tensor): Their classes, of shape (N, ).
        ignore_index (int, optional): The label of rows that are no anchors.
        reduction (str): 'mean', 'sum' or 'none'.

    Returns:
        Tensor: A scalar, or of shape (N, ) and zero at ignored rows if
        reduction is 'none'.
    """
    valid = is_counted(labels, ignore_index)
    # An exact zero that still has a graph where no anchor is left.
    loss = torch.where(valid, loss, torch.zeros_like(loss))
    if reduction == 'none':
        return loss
    total = loss.sum()
    return total if reduction == 'sum' else total / valid.sum().clamp(min=1)
