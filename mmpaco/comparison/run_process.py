"""The process of a run: of its training, then of its test."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from mmengine.device import get_device

from mmpaco.files import PathLike
from mmpaco.runner.processes import caller_environment, peak_memory

from .runs import Run


class RunProcess:
    """A run in progress.

    Args:
        run: The run, which is not finished.
        tools_dir: Directory of ``train.py`` and ``test.py``.
        threads: ``OMP_NUM_THREADS`` of the process.
        devices: ``CUDA_VISIBLE_DEVICES``; as they are by default.

    Raises:
        RuntimeError: If the directory of the run holds something else.
    """

    def __init__(
        self,
        run: Run,
        tools_dir: Path,
        threads: int = 1,
        devices: Optional[str] = None,
    ) -> None:
        self.run = run
        self.tools_dir = tools_dir
        self.env = {
            **os.environ,
            **run.env,
            **caller_environment(),
            'OMP_NUM_THREADS': str(threads),
            'PYTHONUNBUFFERED': '1',
        }
        if devices is not None:
            self.env['CUDA_VISIBLE_DEVICES'] = devices
        if run.after is not None:
            self.env['STAGE1'] = f'{run.after.dir}/'
        run.prepare()
        self._start()

    def _start(self) -> None:
        run = self.run
        checkpoint = run.checkpoint
        self.testing = run.trained and checkpoint is not None
        args: list[PathLike]
        if self.testing:
            args = [checkpoint or '', '--work-dir', run.dir / 'test']
        else:
            args = ['--work-dir', run.dir]
            args += ['--resume'] if checkpoint is not None else []
        command = self._command('test' if self.testing else 'train', args)
        self.began = time.monotonic()
        self.memory: Optional[float] = None
        with open(run.log, 'a', encoding='utf-8') as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.env,
            )

    def _command(self, tool: str, args: Sequence[PathLike]) -> list[PathLike]:
        if not self.run.gpus:
            script = self.tools_dir / f'{tool}.py'
            return [sys.executable, script, self.run.config, *args]
        # Those of another run meet at another one.
        self.env |= {'PYTHON': sys.executable, 'PORT': _free_port()}
        before = 1 if tool == 'test' else 0
        return [
            'bash',
            self.tools_dir / f'dist_{tool}.sh',
            self.run.config,
            *args[:before],
            str(self.run.gpus),
            *args[before:],
        ]

    def poll(self) -> Optional[bool]:
        """Go on as far as possible.

        Returns:
            None while running, then whether it went well.
        """
        # Of a process that has ended, nothing is known any more.
        self.memory = peak_memory(self.process.pid) or self.memory
        code, cpu_seconds = _poll(self.process)
        if code is None:
            return None
        if code != 0:
            self.run.close_failed(_cause(code))
            return False
        try:
            if self.testing:
                self.run.close_test()
                return True
            share = None
            if cpu_seconds is not None:
                share = cpu_seconds / (time.monotonic() - self.began)
            self.run.close_training(share, self.memory)
            if not self.run.has_test:
                return True
        except RuntimeError as error:
            with open(self.run.log, 'a', encoding='utf-8') as log:
                log.write(f'{error}\n')
            self.run.close_failed(str(error))
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


def _free_port() -> str:
    """Give a port that nobody listens on.

    It is below those that systems give to outgoing connections.
    """
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(('127.0.0.1', port))
            return str(port)


def _cause(code: int) -> Optional[str]:
    if code >= 0:
        return None
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f'signal {-code}'
    return f'the process was ended by {name}'


def _poll(
    process: 'subprocess.Popen[bytes]',
) -> tuple[Optional[int], Optional[float]]:
    """Look whether a process has ended.

    Returns:
        Its status, None while it runs; and its processor seconds, None where
        they are not known or a processor does not do the work.
    """
    if not hasattr(os, 'wait4'):  # on Windows
        return process.poll(), None
    if process.returncode is None:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            if get_device() == 'cpu':
                return process.returncode, usage.ru_utime + usage.ru_stime
    return process.returncode, None
