"""What tests that start processes share."""

import os
import socket
import sys


def free_port():
    """Give a port that nobody listens on, as a string."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return str(probe.getsockname()[1])


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
