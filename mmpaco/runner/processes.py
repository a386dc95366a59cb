"""Processes that end with the one that started them, however it ends."""

import contextlib
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, Callable, Optional, TypeVar

import cv2

from .tool_ending import note_refusal

__all__ = [
    'caller_environment',
    'end_with_caller',
    'map_in_processes',
    'peak_memory',
]

_Job = TypeVar('_Job')
_Result = TypeVar('_Result')
_CALLER = 'MMPACO_CALLER'
_POLL_SECONDS = 0.5
_function: list[Callable[[Any], Any]] = []


def map_in_processes(
    function: Callable[[_Job], _Result],
    jobs: Sequence[_Job],
    nproc: Optional[int] = None,
    chunksize: int = 8,
) -> Iterator[_Result]:
    """Call a function with each of many jobs, on several cores.

    The processes end with this one, also if it is killed.

    Args:
        function: What can be pickled; each process gets it once.
        jobs: Its arguments.
        nproc (int, optional): Processes; one is this process. Defaults to
            the number of cores.
        chunksize (int): Jobs that a process gets at a time. Defaults to 8.

    Returns:
        Iterator: The results, in the order of the jobs.

    Raises:
        ValueError: If ``nproc`` is below one.
        RuntimeError: While iterated, if a process was killed.
        Exception: While iterated, what the function raises.
    """
    if nproc is not None and nproc < 1:
        raise ValueError(
            f'nproc must be at least 1, but got {nproc}; leave it out for '
            'one process on each core'
        )
    count = min(nproc or os.cpu_count() or 1, len(jobs))
    if count <= 1:
        return map(function, jobs)
    return _map(function, jobs, count, chunksize)


def _map(
    function: Callable[[_Job], _Result],
    jobs: Sequence[_Job],
    count: int,
    chunksize: int,
) -> Iterator[_Result]:
    with ProcessPoolExecutor(
        count, initializer=_prepare, initargs=(function,)
    ) as pool:
        try:
            yield from pool.map(_call, jobs, chunksize=chunksize)
        except BrokenProcessPool as error:
            raise RuntimeError(
                f'one of {count} processes was killed, perhaps for want of '
                'memory; try again with fewer (nproc)'
            ) from error


def _prepare(function: Callable[[Any], Any]) -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        # A worker that waits for a job would wait for ever.
        _when_over(parent.join)
    # The processes share the cores already.
    cv2.setNumThreads(0)
    _function[:] = [function]


def _call(job: Any) -> Any:
    try:
        return _function[0](job)
    except Exception as error:
        note_refusal(error)
        raise


def caller_environment() -> dict[str, str]:
    """Give the variables by which a tool knows that it must not outlive us.

    Returns:
        dict[str, str]: To be added to the environment of ``tools/train.py``
        or ``tools/test.py``.
    """
    return {_CALLER: str(os.getpid())}


def end_with_caller() -> None:
    """End this process when the one is gone that waits for it.

    That is the one which gave it :func:`caller_environment`, or the launcher
    of torch, whose ranks would wait for each other. A process that a user
    has started goes on without the terminal that it came from. On Windows no
    process knows this.
    """
    caller = os.environ.pop(_CALLER, None)
    if os.name != 'posix':
        return
    if 'TORCHELASTIC_RUN_ID' in os.environ:
        # The launcher, which ends with its ranks, may have been started by
        # the caller, of which it knows nothing.
        parent = os.getppid()
        _when_over(lambda: _wait_for(parent, int(caller or parent)))
    elif caller is not None:
        _when_over(lambda: _wait_for(int(caller)))


def peak_memory(pid: int) -> Optional[float]:
    """Give the memory that a process has needed at most, so far.

    Of it and the processes that it has started, and that are still there, it
    is that of the largest. What ``os.wait4`` tells of a process that has
    ended may be that of its parent.

    Args:
        pid (int): Its id.

    Returns:
        float: MB, as mmengine counts them for a GPU (2 ** 20 bytes); None if
        there is no such process, or the system is not Linux.
    """
    peaks = [_own_peak(pid), *map(peak_memory, _children(pid))]
    return max((x for x in peaks if x is not None), default=None)


def _own_peak(pid: int) -> Optional[float]:
    with contextlib.suppress(OSError):
        for line in Path(f'/proc/{pid}/status').read_text().splitlines():
            if line.startswith('VmHWM:'):
                return int(line.split()[1]) / 1024
    return None


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [
            int(child)
            for task in Path(f'/proc/{pid}/task').iterdir()
            for child in (task / 'children').read_text().split()
        ]
    return []


def _wait_for(parent: int, other: Optional[int] = None) -> None:
    """Wait until a parent, or some other process, is gone."""
    while os.getppid() == parent and _is_there(other or parent):
        time.sleep(_POLL_SECONDS)


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _when_over(wait: Callable[[], Any]) -> None:
    """End this process, busy or not, once a call returns."""

    def watch() -> None:
        wait()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
