"""Time and memory of a call, on a processor or a CUDA device."""

import os
import time
from typing import Any, Callable

import torch
from torch.profiler import ProfilerActivity, profile

# The profiler would tell of each start and stop.
os.environ.setdefault('KINETO_LOG_LEVEL', '99')


def seconds(run: Callable[[], Any], device: str) -> float:
    _wait(device)
    start = time.perf_counter()
    run()
    _wait(device)
    return time.perf_counter() - start


def peak_bytes(run: Callable[[], Any], device: str) -> int:
    """Most that a call holds above what was held before it."""
    if _is_cuda(device):
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        run()
        return torch.cuda.max_memory_allocated(device) - before
    # The resident size of the process would not tell this call's memory from
    # what another one has given back to the allocator.
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as p:
        run()
    events = [
        # Microseconds before torch 2.3; only the order matters.
        (e.start_ns() if hasattr(e, 'start_ns') else e.start_us(), e.nbytes())
        for e in p.profiler.kineto_results.events()
        if e.name() == '[memory]'
    ]
    held = peak = 0
    for _, num_bytes in sorted(events, key=lambda event: event[0]):
        held += num_bytes
        peak = max(peak, held)
    return peak


def _is_cuda(device: str) -> bool:
    return torch.device(device).type == 'cuda'


def _wait(device: str) -> None:
    if _is_cuda(device):
        torch.cuda.synchronize(device)
