"""Gathering rows whose number differs between ranks."""

import torch
from mmengine.dist import all_gather, get_world_size
from torch import Tensor


def gather_rows(*tensors: Tensor) -> list[Tensor]:
    """Concatenate the rows of all ranks, rank 0 first.

    Args:
        *tensors (Tensor): Tensors with the same number of rows on this rank;
            other ranks may have another number.

    Returns:
        list[Tensor]: The same on all ranks. In one process, the inputs.
    """
    if get_world_size() == 1:
        return list(tensors)
    num_rows = tensors[0].new_tensor([len(tensors[0])], dtype=torch.int64)
    sizes = torch.cat(all_gather(num_rows)).tolist()
    gathered = []
    for tensor in tensors:
        # Collectives want one shape: pad to the longest, then cut.
        padded = tensor.new_zeros(max(sizes), *tensor.shape[1:])
        padded[: len(tensor)] = tensor
        parts = all_gather(padded)
        gathered.append(
            torch.cat([part[:size] for part, size in zip(parts, sizes)])
        )
    return gathered
