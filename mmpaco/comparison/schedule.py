"""Which runs of a comparison are in progress, and on which GPUs."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Optional, Union

import torch

from .progress import Display
from .run_process import RunProcess
from .runs import Run


class Follower:
    """What is done with a run that has ended; it takes the run's slot."""

    def __init__(self, future: 'Future[None]') -> None:
        self.future = future

    def poll(self) -> Optional[bool]:
        """Tell whether it is done, or raise what it raised."""
        if not self.future.done():
            return None
        self.future.result()
        return True

    def stop(self) -> None:
        """Let it come to its end, which nothing else waits for."""
        self.future.cancel()


def device_slots(
    jobs: int, gpus: int, devices: Sequence[str]
) -> list[Optional[str]]:
    """Share out the GPUs of this machine among runs at a time.

    Args:
        jobs: Runs at a time.
        gpus: GPUs of each; 0 counts as one.
        devices: The GPUs, as ``CUDA_VISIBLE_DEVICES`` names them.

    Returns:
        list[str | None]: ``CUDA_VISIBLE_DEVICES`` of each; None, which leaves
        it as it is, where there are too few for each to have its own.
    """
    each = max(gpus, 1)
    if len(devices) < jobs * each:
        return [None] * jobs
    return [','.join(devices[i * each : (i + 1) * each]) for i in range(jobs)]


def visible_devices() -> list[str]:
    """Name the GPUs that this process may use."""
    count = torch.cuda.device_count()
    named = os.environ.get('CUDA_VISIBLE_DEVICES', '')
    return [x for x in named.split(',') if x][:count] or [
        str(i) for i in range(count)
    ]


class Schedule:
    """Runs that wait, and those in progress, each in a slot."""

    def __init__(
        self,
        runs: Sequence[Run],
        start: Callable[[Run, Optional[str]], RunProcess],
        slots: Sequence[Optional[str]],
        display: Display,
    ) -> None:
        self.waiting = list(runs)
        self.start = start
        self.display = display
        self.free = list(slots)
        self.active: list[
            tuple[Union[RunProcess, Follower], Optional[str]]
        ] = []
        self.failed: list[Run] = []

    def begin(self) -> None:
        """Start what can be started in the free slots."""
        for run in list(self.waiting):
            if not self.free:
                break
            first = run.after
            if first in self.failed:
                self.waiting.remove(run)
                run.prepare()
                run.log.write_text(f'The first stage failed: {first}\n')
                run.close_failed(f'its first stage failed: {first.failure}')
                self.display.begin(run)
                self._fail(run)
            elif first is None or first.finished:
                self.waiting.remove(run)
                slot = self.free.pop(0)
                self.active.append((self.start(run, slot), slot))
                self.display.begin(run)

    def _fail(self, run: Run) -> None:
        self.display.end(run, False)
        self.failed.append(run)

    def poll(self, follow: Callable[[Run], Optional[Follower]]) -> None:
        """Look which have ended; what follows one takes its slot."""
        for entry in list(self.active):
            job, slot = entry
            good = job.poll()
            if isinstance(job, RunProcess):
                self.display.update(job.run, job.testing)
            if good is None:
                continue
            self.active.remove(entry)
            follower = None
            if isinstance(job, RunProcess) and good:
                self.display.end(job.run, True)
                follower = follow(job.run)
            elif isinstance(job, RunProcess):
                self._fail(job.run)
            if follower is None:
                self.free.append(slot)
            else:
                self.active.append((follower, slot))
