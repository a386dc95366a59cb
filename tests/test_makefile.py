"""Promises of the Makefile that need no download."""

import os
import shutil
import subprocess
import sys

import pytest
from support.paths import ROOT

pytestmark = pytest.mark.skipif(
    shutil.which('make') is None, reason='make is not installed'
)


def make(*arguments):
    command = ['make', '-C', ROOT, f'PYTHON={sys.executable}', *arguments]
    return subprocess.run(
        [str(x) for x in command],
        # Variables of a make that runs these tests would be inherited.
        env={k: v for k, v in os.environ.items() if 'MAKE' not in k},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def test_make_alone_lists_the_targets():
    result = make()
    assert result.returncode == 0
    targets = 'quickstart quickstart-seg test test-slow lint clean'
    for target in targets.split():
        assert f'  {target} ' in result.stdout


def test_seeds_and_arguments_reach_the_quickstart():
    result = make('-n', 'quickstart', 'SEEDS=5', 'QUICKSTART_ARGS=--fast')
    assert (
        'projects/quickstart/quickstart.py --seeds 5 --fast' in result.stdout
    )


def test_segmentation_needs_data():
    result = make('-n', 'quickstart-seg', 'DATA=a b', 'SEEDS=2')
    assert (
        "projects/quickstart/quickstart_seg.py 'a b' --seeds 2"
        in result.stdout
    )
    result = make('quickstart-seg')
    assert result.returncode != 0
    assert 'needs DATA=' in result.stdout
    assert 'pip install' not in result.stdout
