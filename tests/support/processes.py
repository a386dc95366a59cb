"""What tests that start processes share."""

import contextlib
import os
import random
import socket
import sys


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
