"""Tensors whose values can be read without anybody waiting for them."""

import torch
from torch import Tensor

# torch 2.1 cannot trace the losses anyway (docs/performance.md).
_is_compiling = getattr(torch.compiler, 'is_compiling', lambda: False)


def has_values(tensor: Tensor) -> bool:
    """Tell whether a tensor has values that an operation can see.

    Args:
        tensor (Tensor): Any tensor.

    Returns:
        bool: False for fake tensors, and while a graph is compiled.
    """
    # Fake tensors are of a type of their own.
    plain = type(tensor) in (Tensor, torch.nn.Parameter)
    return plain and not _is_compiling()


def is_readable(tensor: Tensor) -> bool:
    """Tell whether a tensor is on the host and has values.

    Args:
        tensor (Tensor): Any tensor.

    Returns:
        bool: False for tensors of a device, without values (meta, fake), and
        while a graph is compiled.
    """
    return has_values(tensor) and tensor.is_cpu
