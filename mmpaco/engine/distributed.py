"""Gathering rows whose number differs between ranks."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, Optional
from weakref import WeakKeyDictionary

import torch
from mmengine.dist import (
    all_gather,
    all_reduce,
    broadcast,
    get_default_group,
    get_rank,
    get_world_size,
)
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.modules.batchnorm import _NormBase

# Rows that a message has room for, by group, caller and bytes of a row: the
# longest batch of all ranks so far, so that all ranks know the same.
_Room = dict[tuple[Any, int], int]
_ROOM: WeakKeyDictionary[Any, _Room] = WeakKeyDictionary()
# Bytes of the number of rows.
_HEADER = 8


def gather_rows(*tensors: Tensor) -> list[Tensor]:
    """Concatenate the rows of all ranks, rank 0 first.

    Args:
        *tensors (Tensor): Tensors with the same number of rows on this rank;
            other ranks may have another number. Gradients end here.

    Returns:
        list[Tensor]: The same on all ranks. In one process, the inputs.
    """
    return _gather_all(gather_rows, *tensors)[0]


def _gather_all(
    caller: Any, *tensors: Tensor
) -> tuple[list[Tensor], list[int]]:
    """Gather rows and how many each rank has, in one message.

    Only where a batch is longer than all before it are there two.
    """
    num_rows = len(tensors[0])
    if get_world_size() == 1:
        return list(tensors), [num_rows]
    widths = [math.prod(x.shape[1:]) * x.element_size() for x in tensors]
    room = _ROOM.setdefault(get_default_group(), {})
    key = caller, sum(widths)
    while True:
        most = room.get(key, 0)
        parts = all_gather(_message(tensors, widths, most))
        headers = torch.stack([part[:_HEADER] for part in parts])
        sizes: list[int] = headers.view(torch.int64).flatten().tolist()
        if max(sizes) <= most:
            break
        room[key] = max(sizes)
    gathered, start = [], _HEADER
    for tensor, width in zip(tensors, widths):
        rows = torch.cat(
            [
                part[start : start + size * width]
                for part, size in zip(parts, sizes)
            ]
        )
        rows = rows.view(tensor.dtype)
        gathered.append(rows.view(sum(sizes), *tensor.shape[1:]))
        start += most * width
    return gathered, sizes


def _message(
    tensors: Sequence[Tensor], widths: list[int], room: int
) -> Tensor:
    """Put the number of rows and the rows, if there is room, in a message."""
    num_rows = len(tensors[0])
    message = tensors[0].new_zeros(
        _HEADER + room * sum(widths), dtype=torch.uint8
    )
    message[:_HEADER].view(torch.int64).fill_(num_rows)
    start = _HEADER
    for tensor, width in zip(tensors, widths):
        if num_rows <= room:
            # Not contiguous(), which leaves the strides of one row or none
            # as they are, and bytes want a last one of 1.
            rows = tensor.detach().clone(memory_format=torch.contiguous_format)
            rows = rows.view(torch.uint8).flatten()
            message[start : start + len(rows)] = rows
        start += room * width
    return message


def _gather_known(sizes: list[int], rows: Tensor) -> Tensor:
    """Gather rows whose number on each rank is known."""
    # Collectives want one shape: pad to the longest, then cut.
    padded = rows.new_zeros(max(sizes), *rows.shape[1:])
    padded[: len(rows)] = rows.detach()
    parts = all_gather(padded)
    return torch.cat([part[:size] for part, size in zip(parts, sizes)])


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
    (gathered,), sizes = _gather_all(shuffle_rows, rows)
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
    gathered = _gather_known(sizes, rows)
    return gathered[torch.split(order.argsort(), sizes)[get_rank()]]


class _OtherRows(torch.autograd.Function):
    """Rows of the other ranks, to which the gradients go back."""

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, gathered: Tensor, start: int
    ) -> Tensor:
        ctx.own = start, start + len(rows)
        return _without(gathered, *ctx.own)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        start, stop = ctx.own
        own = grad.new_zeros(stop - start, *grad.shape[1:])
        whole = torch.cat([grad[:start], own, grad[start:]])
        all_reduce(whole, 'sum')
        return whole[start:stop], None, None


def _without(rows: Tensor, start: int, stop: int) -> Tensor:
    return torch.cat([rows[:start], rows[stop:]])


class OtherRows(NamedTuple):
    """What a rank is given by :func:`other_rows`.

    Args:
        rows (Tensor): The rows of the other ranks, in their order.
        labels (Tensor): Their classes.
        keys (list[Tensor]): The keys of all ranks, if there are some, and
            their classes.
        weight (float): The factor by which to multiply the mean over this
            rank's rows, so that the mean over ranks is that over rows.
    """

    rows: Tensor
    labels: Tensor
    keys: list[Tensor]
    weight: float


def other_rows(
    rows: Tensor, labels: Tensor, keys: Optional[Tensor] = None
) -> OtherRows:
    """Give the rows of all other ranks, with gradients to them.

    The gradient of a rank's own rows is the sum of what all ranks ask of
    them, so every rank must run its backward.

    Args:
        rows (Tensor): Rows of this rank, of shape (N, D).
        labels (Tensor): Their classes, of shape (N, ).
        keys (Tensor, optional): Keys of the same classes, of shape (N, D).
            Gradients to them end here.

    Returns:
        OtherRows: What the others have.
    """
    more = [] if keys is None else [keys]
    (all_rows, all_labels, *all_keys), sizes = _gather_all(
        other_rows, rows, labels, *more
    )
    start = sum(sizes[: get_rank()])
    others: Tensor = _OtherRows.apply(rows, all_rows, start)
    return OtherRows(
        others,
        _without(all_labels, start, start + len(rows)),
        [*all_keys, all_labels],
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
