"""Calling the tool that compares methods."""

import contextlib
import subprocess
import sys

from .paths import TOOLS
from .processes import environment


def call(folder, *arguments, config='tiny.py', **env):
    return subprocess.run(
        command(config, *arguments),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
        env={**environment(TOOLS.parent), **env},
    )


def command(config, *arguments):
    tool = str(TOOLS / 'compare.py')
    # One seed, unless they say otherwise.
    given = ['--seeds', '1', *map(str, arguments)]
    return [sys.executable, tool, config, *given]


@contextlib.contextmanager
def started_comparison(folder, *arguments):
    """A comparison that goes on beside the test."""
    process = subprocess.Popen(
        command('tiny.py', *arguments),
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(TOOLS.parent),
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
