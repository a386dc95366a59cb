"""Time and memory of a call, on a processor or a CUDA device."""

import contextlib
import os
import statistics
import time
from collections.abc import Iterator
from typing import Any, Callable, NamedTuple, Optional

import torch
from torch.profiler import ProfilerActivity, profile

from mmpaco.losses.kernels import SWITCH

# The profiler would tell of each start and stop.
os.environ.setdefault('KINETO_LOG_LEVEL', '99')


def seconds(run: Callable[[], Any], device: str) -> float:
    _wait(device)
    start = time.perf_counter()
    run()
    _wait(device)
    return time.perf_counter() - start


def processor_seconds(run: Callable[[], Any]) -> float:
    """Seconds that a processor works, of all threads together.

    What else a shared machine does lengthens them by little.
    """
    start = time.process_time()
    run()
    return time.process_time() - start


class Times(NamedTuple):
    """Seconds of a call.

    Args:
        median: By events of the device, which wait for a host that is slower
            at launching; without a device, by a clock.
        least: The least of them.
        most: The most of them.
        host: Until all was launched, on average; None without a device.
    """

    median: float
    least: float
    most: float
    host: Optional[float]


def times(
    run: Callable[[int], Any], device: str, repeats: int, warm_ups: int = 3
) -> Times:
    """Time calls, each of which is given its number, to rotate its inputs."""
    for i in range(warm_ups):
        run(i)
    if not is_cuda(device):
        found = [seconds(lambda i=i: run(i), device) for i in range(repeats)]
        return _summary(found, None)
    with torch.cuda.device(device):
        torch.cuda.synchronize()
        events = [
            [torch.cuda.Event(enable_timing=True) for _ in range(2)]
            for _ in range(repeats)
        ]
        start = time.perf_counter()
        for i, (before, after) in enumerate(events):
            before.record()
            run(i)
            after.record()
        host = (time.perf_counter() - start) / repeats
        torch.cuda.synchronize()
    return _summary([a.elapsed_time(b) / 1000 for a, b in events], host)


def _summary(found: list, host: Optional[float]) -> Times:
    return Times(statistics.median(found), min(found), max(found), host)


class Work(NamedTuple):
    """What a device does in a call.

    Args:
        busy: Seconds in which it computes or copies.
        launches: Kernels and copies.
        longest: Seconds by the name of a kernel, the longest first.
        span: Seconds from the start of the first to the end of the last.
    """

    busy: float
    launches: int
    longest: dict
    span: float


def device_work(run: Callable[[], Any], device: str) -> Optional[Work]:
    """Profile a call; None without a device, or where nothing is told."""
    if not is_cuda(device):
        return None
    _wait(device)
    with profile(activities=[ProfilerActivity.CUDA]) as made:
        run()
        _wait(device)
    return work_of(made)


def work_of(made: profile) -> Optional[Work]:
    """Sum up what a profile tells of the device."""
    cuda = torch.autograd.DeviceType.CUDA
    found = [
        (e.name, e.time_range.start / 1e6, e.time_range.end / 1e6)
        for e in made.events()
        # Ranges that the user marked lie over kernels.
        if e.device_type == cuda and not getattr(e, 'is_user_annotation', 0)
    ]
    if not found:
        return None
    longest: dict[str, float] = {}
    for name, start, end in found:
        longest[name] = longest.get(name, 0) + end - start
    return Work(
        sum(longest.values()),
        len(found),
        dict(sorted(longest.items(), key=lambda x: -x[1])),
        max(x[2] for x in found) - min(x[1] for x in found),
    )


def peak_bytes(run: Callable[[], Any], device: str) -> int:
    """Most that a call holds above what was held before it."""
    if is_cuda(device):
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


@contextlib.contextmanager
def kernels_off() -> Iterator[None]:
    """Leave the contrast to tiles, as a user does."""
    before = os.environ.get(SWITCH)
    os.environ[SWITCH] = '0'
    try:
        yield
    finally:
        del os.environ[SWITCH]
        if before is not None:
            os.environ[SWITCH] = before


def is_cuda(device: str) -> bool:
    return torch.device(device).type == 'cuda'


def _wait(device: str) -> None:
    if is_cuda(device):
        torch.cuda.synchronize(device)
