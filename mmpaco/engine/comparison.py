"""Train several configs over several seeds with the real tools.

A run is one (method, seed). It is trained and tested by ``tools/train.py``
and ``tools/test.py`` in processes of their own, so what a comparison
reports is what a user gets by calling the tools by hand.
:mod:`mmpaco.engine.comparison_report` makes tables and pictures of it.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Optional

from mmengine.device import get_device

from mmpaco.files import PathLike

from .comparison_progress import Display
from .comparison_run import Run

_POLL_SECONDS = 0.5


def plan_runs(
    methods: Mapping[str, PathLike],
    seeds: Sequence[int],
    work_dir: PathLike,
    env: Optional[Mapping[str, str]] = None,
) -> list[Run]:
    """List the runs of a comparison.

    Args:
        methods: Config path of every method, by the method's label.
        seeds: Seeds; the configs read them as ``{{'$SEED:0'}}``.
        work_dir: Directory of the comparison.
        env: Further environment variables of the tools.

    Returns:
        The runs, all methods of one seed before the next seed, so that
        methods which are compared run under the same load.

    Raises:
        ValueError: If there is nothing to run, or two runs would share a
            directory.
    """
    if not methods or not seeds:
        raise ValueError(
            'A comparison needs at least one method and one '
            f'seed, got methods {list(methods)} and seeds '
            f'{list(seeds)}.'
        )
    runs = []
    for seed in seeds:
        for label, config in methods.items():
            slug = re.sub(r'[^a-z0-9.]+', '-', label.lower()).strip('-')
            runs.append(
                Run(
                    label,
                    Path(config),
                    seed,
                    Path(work_dir).resolve() / slug / f'seed{seed}',
                    {**(env or {}), 'SEED': str(seed)},
                )
            )
    if len({run.dir for run in runs}) < len(runs):
        raise ValueError(
            'Labels must differ in their letters and digits, '
            'and seeds must differ, got labels '
            f'{list(methods)} and seeds {list(seeds)}.'
        )
    return runs


def _cpu_seconds() -> Optional[float]:
    """Processor time of the ended child processes, where that is the work."""
    try:
        import resource
    except ImportError:  # not on Windows
        return None
    if get_device() != 'cpu':
        return None
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class _Job:
    """A run in progress: one process, of its training or of its test."""

    def __init__(self, run: Run, tools_dir: Path, threads: int) -> None:
        self.run = run
        self.tools_dir = tools_dir
        self.env = {
            **os.environ,
            **run.env,
            'OMP_NUM_THREADS': str(threads),
            'PYTHONUNBUFFERED': '1',
        }
        run.prepare()
        self._start()

    def _start(self) -> None:
        run = self.run
        checkpoint = run.checkpoint
        self.testing = run.trained and checkpoint is not None
        args: list[PathLike]
        if run.trained and checkpoint is not None:
            args = [
                self.tools_dir / 'test.py',
                run.config,
                checkpoint,
                '--work-dir',
                run.dir / 'test',
            ]
        else:
            args = [
                self.tools_dir / 'train.py',
                run.config,
                '--work-dir',
                run.dir,
            ]
            args += ['--resume'] if checkpoint is not None else []
        self.began = time.monotonic()
        with open(run.log, 'a', encoding='utf-8') as log:
            self.process = subprocess.Popen(
                [sys.executable, *args],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.env,
            )

    def poll(self) -> Optional[bool]:
        """Go on as far as possible.

        Returns:
            None while running, then whether it went well.
        """
        before = _cpu_seconds()
        code = self.process.poll()
        if code is None:
            return None
        after = _cpu_seconds()
        if code != 0:
            return False
        try:
            if self.testing:
                self.run.close_test()
                return True
            share = None
            if before is not None and after is not None:
                share = (after - before) / (time.monotonic() - self.began)
            self.run.close_training(share)
            if not self.run.has_test:
                return True
        except RuntimeError as error:
            with open(self.run.log, 'a', encoding='utf-8') as log:
                log.write(f'{error}\n')
            return False
        self._start()
        return None

    def stop(self) -> None:
        """End the process, by force if it does not end itself."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


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
    interrupt or a SIGTERM ends all processes.

    Args:
        runs: From :func:`plan_runs`.
        tools_dir: Directory of ``train.py`` and ``test.py``.
        jobs: Runs at a time.
        threads: ``OMP_NUM_THREADS`` of each.
        then: Called with each run that was not finished before and ended
            well.

    Raises:
        ValueError: If ``jobs`` or ``threads`` is below one.
        RuntimeError: After all runs have ended, if some failed.
    """
    from rich.console import Console

    if jobs < 1 or threads < 1:
        raise ValueError(
            'jobs and threads must be at least 1, got '
            f'jobs={jobs} and threads={threads}.'
        )
    waiting = [run for run in runs if not run.finished]
    console = Console(soft_wrap=True)
    display = Display(console, len(waiting))
    if len(waiting) < len(runs):
        display.line(
            f'{len(runs) - len(waiting)} of {len(runs)} runs are '
            'finished already'
        )
    active: list[_Job] = []
    failed: list[Run] = []
    try:
        with _exit_on_sigterm(), display.bars:
            while waiting or active:
                while waiting and len(active) < jobs:
                    job = _Job(waiting.pop(0), Path(tools_dir), threads)
                    active.append(job)
                    display.begin(job.run)
                for job in list(active):
                    good = job.poll()
                    display.update(job.run, job.testing)
                    if good is not None:
                        active.remove(job)
                        display.end(job.run, good)
                        failed += [] if good else [job.run]
                        if good and then is not None:
                            then(job.run)
                time.sleep(_POLL_SECONDS)
    finally:
        for job in active:
            job.stop()
    if failed:
        logs = '\n'.join(f'  {run}: {run.log}' for run in failed)
        raise RuntimeError(
            f'{len(failed)} of {len(runs)} runs failed; what went wrong is '
            f'at the end of their logs:\n{logs}\nMend it and call again: '
            'finished runs are not repeated.'
        )
