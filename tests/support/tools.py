"""Calling a tool as a user does, or as quickly as can be."""

import contextlib
import io
import runpy
import subprocess
import sys

import pytest

from .paths import TOOLS
from .processes import environment


def call_here(folder, tool, *arguments):
    """Run a tool in this process: what it imports is there already.

    Its path starts in ``tools/``, unless it is absolute.
    """
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        patch.chdir(folder)
        patch.syspath_prepend((TOOLS / tool).parent)
        patch.setattr(sys, 'argv', [str(tool), *map(str, arguments)])
        try:
            runpy.run_path(str(TOOLS / tool), run_name='__main__')
        except SystemExit as stop:
            code = stop.code
            if isinstance(code, str):
                print(code, file=err)
                code = 1
    return subprocess.CompletedProcess(
        tool, code, out.getvalue(), err.getvalue()
    )


def call_process(folder, tool, *arguments):
    return subprocess.run(
        [sys.executable, str(TOOLS / tool), *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
        env=environment(TOOLS.parent),
    )
