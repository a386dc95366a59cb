"""Calling the tool that compares methods."""

import contextlib
import signal
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
def started_comparison(
    folder, *arguments, config='tiny.py', output=subprocess.DEVNULL
):
    """A comparison that goes on beside the test, in a process group."""
    process = subprocess.Popen(
        command(config, *arguments),
        cwd=folder,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=environment(TOOLS.parent),
        start_new_session=True,
        # A shell that runs the tests in the background ignores Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
