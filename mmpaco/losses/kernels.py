"""Whether, and how exactly, Triton's kernels take the contrast."""

import importlib
import logging
import os
from importlib.util import find_spec
from types import ModuleType
from typing import Optional

import torch
from torch import Tensor

# Off with '0', so that a fault can be told to be theirs.
SWITCH = 'MMPACO_TRITON'
# Of the first torch whose Triton they were tried with, and of the cards.
_LEAST_TORCH = (2, 4)
_LEAST_CAPABILITY = (8, 0)
_MOST_CHANNELS = 256
_FAILED: list[str] = []


def obstacle(features: Tensor) -> Optional[str]:
    """Say what keeps the kernels from such rows.

    Args:
        features (Tensor): Rows of shape (N, D), or (B, N, D).

    Returns:
        str: The reason, or None if they take the rows, or would be tried.
    """
    if features.device.type != 'cuda':
        return 'no CUDA device'
    if features.dtype != torch.float32:
        return 'the rows are not float32'
    if features.shape[-1] > _MOST_CHANNELS:
        return f'more than {_MOST_CHANNELS} channels'
    if not features.numel():
        return 'no rows'
    if _FAILED:
        return f'the kernels failed: {_FAILED[0]}'
    if os.environ.get(SWITCH) == '0':
        return f'{SWITCH}=0'
    if torch.version.hip is not None:
        return 'ROCm, on which the kernels were never run'
    if _torch_version() < _LEAST_TORCH:
        return f'torch {torch.__version__} is older than 2.4'
    if find_spec('triton') is None:
        return 'Triton is not installed'
    if torch.cuda.get_device_capability(features.device) < _LEAST_CAPABILITY:
        return 'the device has a capability below 8.0'
    return None


def kernels_for(features: Tensor) -> Optional[ModuleType]:
    """Give the module of the kernels, if they take such rows.

    They do on a CUDA device of capability 8.0 or more, for float32 and up to
    256 channels, with torch 2.4 and Triton; not on ROCm.

    Args:
        features (Tensor): Rows of shape (N, D), or (B, N, D), with values.

    Returns:
        ModuleType: :mod:`mmpaco.losses.contrast_triton`, or None, of which
        :func:`obstacle` tells the reason.
    """
    return None if obstacle(features) else _compiled_for(features)


def _compiled_for(features: Tensor) -> Optional[ModuleType]:
    """Import the kernels, and see once that they compile and run."""
    try:
        kernels = importlib.import_module('mmpaco.losses.contrast_triton')
        kernels.try_out(features.device)
    except Exception as error:
        # Of compilers there is no end of reasons; the tiles take over.
        _FAILED.append(str(error))
        logging.getLogger(__name__).warning(
            'the contrast takes no kernels, which are faster, but tiles of '
            'PyTorch: %s: %s. Set %s=0 to silence this',
            type(error).__name__,
            error,
            SWITCH,
        )
        return None
    return kernels


def _torch_version() -> tuple[int, int]:
    major, minor = torch.__version__.split('.')[:2]
    return int(major), int(minor)


def num_products(under_autocast: bool) -> int:
    """Tell how many products in half precision a product is made of.

    Args:
        under_autocast (bool): Whether autocast was on at the loss.

    Returns:
        int: 3, as exact as float32; or 1 under autocast, or where the user
        allows TF32, which is no more exact.
    """
    matmul = torch.backends.cuda.matmul
    precision = getattr(matmul, 'fp32_precision', None)
    allows_tf32 = (
        precision == 'tf32' if precision is not None else matmul.allow_tf32
    )
    return 1 if under_autocast or allows_tf32 else 3
