"""What the tests that need a card share."""

import contextlib
import os

import torch

DEVICE = 'cuda'
# What cuBLAS asks for where algorithms have to be deterministic.
os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')
SWITCH = 'MMPACO_TRITON'


def lack_of_cards(wanted):
    """Say which cards are missing, or nothing."""
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if found < wanted:
        return f'needs {wanted} CUDA devices, but torch finds {found}'
    return ''


@contextlib.contextmanager
def no_waits():
    """Let an operation raise that makes the host wait for the device.

    Waiting for an event, which a :class:`mmpaco.engine.host_copy.HostCopy`
    does that is read, goes unnoticed.
    """
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode('error')
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode('default')


@contextlib.contextmanager
def deterministic():
    """Let an operation raise that may give other bits in another run.

    Memory that is not written yet holds nan meanwhile.
    """
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


@contextlib.contextmanager
def tf32(is_allowed):
    """Allow TF32, in which cuDNN multiplies by itself, or forbid it."""
    before = torch.get_float32_matmul_precision()
    convolutions = torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision('high' if is_allowed else 'highest')
    torch.backends.cudnn.allow_tf32 = is_allowed
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
        torch.backends.cudnn.allow_tf32 = convolutions


def relative_error(found, expected):
    """Length of the difference over that of what is expected."""
    found, expected = found.detach().double(), expected.detach().double()
    return float((found - expected).norm() / expected.norm())


def peak_bytes(run):
    """Most that a call holds beyond what was there and what it gives."""
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    given = run()
    torch.cuda.synchronize()
    returned = sum(x.nbytes for x in given)
    return torch.cuda.max_memory_allocated() - before - returned
