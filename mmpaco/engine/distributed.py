"""Gathering rows whose number differs between ranks."""

from typing import Any

import torch
from mmengine.dist import (
    all_gather,
    all_reduce,
    broadcast,
    get_rank,
    get_world_size,
)
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.modules.batchnorm import _NormBase


def gather_sizes(tensor: Tensor) -> list[int]:
    """Give the number of rows of each rank.

    Args:
        tensor (Tensor): Rows of this rank.

    Returns:
        list[int]: By rank, the same on all ranks.
    """
    if get_world_size() == 1:
        return [len(tensor)]
    num_rows = torch.tensor([len(tensor)], device=tensor.device)
    sizes: list[int] = torch.cat(all_gather(num_rows)).tolist()
    return sizes


def gather_rows(*tensors: Tensor) -> list[Tensor]:
    """Concatenate the rows of all ranks, rank 0 first.

    Args:
        *tensors (Tensor): Tensors with the same number of rows on this rank;
            other ranks may have another number. Gradients end here.

    Returns:
        list[Tensor]: The same on all ranks. In one process, the inputs.
    """
    if get_world_size() == 1:
        return list(tensors)
    return _gather(gather_sizes(tensors[0]), *tensors)


def _gather(sizes: list[int], *tensors: Tensor) -> list[Tensor]:
    gathered = []
    for tensor in tensors:
        # Collectives want one shape: pad to the longest, then cut.
        padded = tensor.new_zeros(max(sizes), *tensor.shape[1:])
        padded[: len(tensor)] = tensor.detach()
        parts = all_gather(padded)
        gathered.append(
            torch.cat([part[:size] for part, size in zip(parts, sizes)])
        )
    return gathered


def shuffle_rows(rows: Tensor) -> tuple[Tensor, Tensor, list[int]]:
    """Deal the rows of all ranks anew, so many to each rank as it had.

    mmpretrain's ``batch_shuffle_ddp`` wants as many rows on each rank.

    Args:
        rows (Tensor): Rows of this rank. Gradients end here.

    Returns:
        tuple[Tensor, Tensor, list[int]]: As many rows, drawn from those of
        all ranks, and what :func:`unshuffle_rows` needs, the same on all
        ranks: the order, and how many rows each rank has.
    """
    sizes = gather_sizes(rows)
    (gathered,) = _gather(sizes, rows)
    order = torch.randperm(len(gathered), device=rows.device)
    broadcast(order)
    return gathered[torch.split(order, sizes)[get_rank()]], order, sizes


def unshuffle_rows(rows: Tensor, order: Tensor, sizes: list[int]) -> Tensor:
    """Give back what was made of the rows that this rank once had.

    Args:
        rows (Tensor): What was made of the rows of :func:`shuffle_rows`, row
            by row. Gradients end here.
        order (Tensor): The order that it gave.
        sizes (list[int]): The numbers of rows that it gave.

    Returns:
        Tensor: As many rows, in the order of this rank's batch.
    """
    (gathered,) = _gather(sizes, rows)
    return gathered[torch.split(order.argsort(), sizes)[get_rank()]]


class _OtherRows(torch.autograd.Function):
    """Rows of the other ranks, to which the gradients go back."""

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, start: int, sizes: list[int]
    ) -> Tensor:
        (gathered,) = _gather(sizes, rows)
        ctx.own = start, start + len(rows)
        return torch.cat([gathered[:start], gathered[start + len(rows) :]])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        start, stop = ctx.own
        own = grad.new_zeros(stop - start, *grad.shape[1:])
        whole = torch.cat([grad[:start], own, grad[start:]])
        all_reduce(whole, 'sum')
        return whole[start:stop], None, None


def other_rows(rows: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, float]:
    """Give the rows of all other ranks, with gradients to them.

    The gradient of a rank's own rows is the sum of what all ranks ask of
    them, so every rank must run its backward.

    Args:
        rows (Tensor): Rows of this rank, of shape (N, D).
        labels (Tensor): Their classes, of shape (N, ).

    Returns:
        tuple[Tensor, Tensor, float]: The rows of the other ranks, in their
        order, their classes, and the factor by which to multiply the mean
        over this rank's rows, so that the mean over ranks is that over rows.
    """
    sizes = gather_sizes(rows)
    rank = get_rank()
    start, stop = sum(sizes[:rank]), sum(sizes[: rank + 1])
    (all_labels,) = _gather(sizes, labels)
    others: Tensor = _OtherRows.apply(rows, start, sizes)
    return (
        others,
        torch.cat([all_labels[:start], all_labels[stop:]]),
        len(sizes) * len(rows) / max(1, sum(sizes)),
    )


def share_statistics(*models: nn.Module) -> None:
    """Give all ranks the running statistics of batch norm of rank 0.

    Args:
        *models (nn.Module): Models of the same layers on all ranks.
    """
    if get_world_size() == 1:
        return
    statistics = [
        buffer
        for model in models
        for module in model.modules()
        if isinstance(module, _NormBase)
        for buffer in (module.running_mean, module.running_var)
        if buffer is not None
    ]
    for dtype in sorted({x.dtype for x in statistics}, key=str):
        same = [x for x in statistics if x.dtype == dtype]
        # In one message: a network has a hundred of them.
        message = torch.cat([x.flatten() for x in same])
        broadcast(message, 0)
        parts = torch.split(message, [len(x) for x in same])
        for buffer, values in zip(same, parts):
            buffer.copy_(values)
