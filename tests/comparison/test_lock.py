"""Two comparisons in one directory."""

import signal
import subprocess
import sys

import pytest
from support.paths import TOOLS
from support.processes import environment

from mmpaco.comparison.lock import alone_in

_CODE = """
import sys, time
from mmpaco.comparison.lock import alone_in
with alone_in(sys.argv[1]):
    print('in', flush=True)
    time.sleep(600)
"""


def test_a_comparison_is_alone_in_its_directory_until_it_ends(tmp_path):
    place = tmp_path / 'a work'
    with subprocess.Popen(
        [sys.executable, '-c', _CODE, str(place)],
        stdout=subprocess.PIPE,
        env=environment(TOOLS.parent),
    ) as process:
        try:
            assert process.stdout.readline() == b'in\n'
            with pytest.raises(RuntimeError, match='another comparison is'):
                with alone_in(place):
                    pass
            with alone_in(tmp_path / 'other'):
                pass
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
    with alone_in(place):
        pass
