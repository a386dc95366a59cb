"""Train several configs over several seeds with the real tools.

A run is one (method, seed). It is trained and tested by ``tools/train.py``
and ``tools/test.py`` in processes of their own, so what a comparison
reports is what a user gets by calling the tools by hand.
:mod:`mmpaco.comparison.report` makes tables of it, and
:mod:`mmpaco.comparison.pictures` pictures.
"""

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Optional

from mmpaco.files import PathLike

from .progress import Display
from .run_process import RunProcess
from .runs import Run
from .schedule import Follower, Schedule, device_slots, visible_devices

_POLL_SECONDS = 0.5


class RunsFailed(RuntimeError):  # noqa: N818
    """Some runs of a comparison failed, and the others are finished.

    Args:
        failed: The runs that failed; each knows its
            :attr:`~mmpaco.comparison.runs.Run.failure`.
        total: How many runs there were.
    """

    def __init__(self, failed: Sequence[Run], total: int) -> None:
        self.failed = list(failed)
        logs = '\n'.join(f'  {run}: {run.log}' for run in failed)
        super().__init__(
            f'{len(failed)} of {total} runs failed; what went wrong is '
            f'at the end of their logs:\n{logs}\nMend it and call again: '
            'finished runs are not repeated.'
        )


@contextlib.contextmanager
def _exit_on_sigterm() -> Iterator[None]:
    """Let SIGTERM unwind the stack, so that no process is left behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(
        signal.SIGTERM, lambda number, frame: sys.exit(128 + number)
    )
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def run_all(
    runs: Sequence[Run],
    tools_dir: PathLike,
    jobs: int = 2,
    threads: int = 1,
    then: Optional[Callable[[Run], None]] = None,
) -> None:
    """Train and test what is not finished yet.

    Finished runs are left alone; an interrupted training is resumed from
    its last checkpoint; a run whose merged config has changed is repeated
    from scratch. A change of code is not noticed: remove the directory of
    the run. A failing run does not keep the others from being finished. An
    interrupt or a SIGTERM ends all processes, and none outlives this one.

    Args:
        runs: The runs; a first stage must be one of them.
        tools_dir: Directory of ``train.py`` and ``test.py``.
        jobs: Runs at a time. Each gets GPUs of its own, if there are enough.
        threads: ``OMP_NUM_THREADS`` of each.
        then: Called with each run that was not finished before and ended
            well, one at a time, in a thread beside the other runs.

    Raises:
        ValueError: If ``jobs`` or ``threads`` is below one.
        RunsFailed: After all runs have ended, if some failed.
        Exception: Whatever ``then`` raised.
    """
    from rich.console import Console

    if jobs < 1 or threads < 1:
        raise ValueError(
            f'jobs and threads must be at least 1, but got jobs={jobs} and '
            f'threads={threads}'
        )
    waiting = [run for run in runs if not run.finished]
    display = Display(Console(soft_wrap=True), len(waiting))
    if len(waiting) < len(runs):
        display.line(
            f'{len(runs) - len(waiting)} of {len(runs)} runs are '
            'finished already'
        )
    tools = Path(tools_dir)
    schedule = Schedule(
        waiting,
        lambda run, devices: RunProcess(run, tools, threads, devices),
        device_slots(
            jobs, max((x.gpus for x in runs), default=0), visible_devices()
        ),
        display,
    )
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(_exit_on_sigterm())
            thread = stack.enter_context(ThreadPoolExecutor(max_workers=1))
            stack.enter_context(display.bars)

            def follow(run: Run) -> Optional[Follower]:
                return then and Follower(thread.submit(then, run))

            while schedule.waiting or schedule.active:
                schedule.begin()
                schedule.poll(follow)
                time.sleep(_POLL_SECONDS)
    finally:
        for job, _ in schedule.active:
            job.stop()
    if schedule.failed:
        raise RunsFailed(schedule.failed, len(runs))
