"""What tests that start processes share."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time


def free_port():
    """Give a port that nobody listens on, as a string.

    It is below those that systems give to outgoing connections, one of which
    could take it before the process that it is meant for.
    """
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(('127.0.0.1', port))
            return str(port)


def environment(*folders, **variables):
    """Environment of a process on the CPU.

    Modules in the folders can be imported.
    """
    paths = [*map(str, folders), os.environ.get('PYTHONPATH')]
    return {
        **os.environ,
        'CUDA_VISIBLE_DEVICES': '',
        'OMP_NUM_THREADS': '1',
        'PYTHON': sys.executable,
        'PYTHONPATH': os.pathsep.join(filter(None, paths)),
        **variables,
    }


def living(word):
    """Ids of the processes that have a word in their command line.

    Workers have that of the process they were forked from. One that has ended
    and that nobody has asked about is a zombie, and none of these.
    """
    listed = subprocess.run(
        ['ps', '-A', '-ww', '-o', 'pid=,stat=,args='],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    rows = (line.split(None, 2) for line in listed.splitlines())
    return {
        int(pid)
        for pid, state, arguments in rows
        if str(word) in arguments and not state.startswith('Z')
    }


def wait_until(condition, seconds=60):
    """Wait for a condition, and tell whether it came true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return bool(condition())


@contextlib.contextmanager
def started(*command, word, **options):
    """Start a process, and leave none with a word in its command line."""
    process = subprocess.Popen(
        [str(x) for x in command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **options,
    )
    try:
        yield process
    finally:
        for pid in living(word):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()
