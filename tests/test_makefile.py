"""Promises of the Makefile that need no download."""

import os
import shlex
import shutil
import subprocess
import sys

import pytest
from support.paths import ROOT
from support.processes import environment

pytestmark = pytest.mark.skipif(
    shutil.which('make') is None, reason='make is not installed'
)


def make(*arguments, **variables):
    command = ['make', '-C', ROOT, f'PYTHON={sys.executable}', *arguments]
    # Variables of a make that runs these tests would be inherited.
    own = {k: v for k, v in os.environ.items() if 'MAKE' not in k}
    return subprocess.run(
        [str(x) for x in command],
        env={**own, **variables},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def test_make_alone_lists_the_targets():
    result = make()
    assert result.returncode == 0
    targets = 'quickstart quickstart-seg test test-slow test-cuda lint clean'
    for target in (*targets.split(), 'stock-configs'):
        assert f'  {target} ' in result.stdout


def test_seeds_and_arguments_reach_the_quickstart():
    result = make('-n', 'quickstart', 'SEEDS=5', 'QUICKSTART_ARGS=--fast')
    assert '--work-dir work_dirs/quickstart --seeds 5 --fast' in result.stdout


def test_arguments_reach_the_stock_configs():
    result = make('-n', 'stock-configs', 'STOCK_ARGS=--sample 3')
    assert '--report docs/stock_configs.md --sample 3' in result.stdout


def test_segmentation_needs_data():
    result = make('-n', 'quickstart-seg', 'DATA=a b', 'SEEDS=2')
    assert "dataset_converters/camvid.py 'a b'" in result.stdout
    assert '--seeds 2' in result.stdout
    result = make('quickstart-seg')
    assert result.returncode != 0
    assert 'needs DATA=' in result.stdout
    assert 'pip install' not in result.stdout


def test_tests_on_a_card_need_one():
    result = make('test-cuda', CUDA_VISIBLE_DEVICES='')
    assert result.returncode != 0
    assert 'test-cuda needs a CUDA device, but torch' in result.stdout
    assert 'pytest' not in result.stdout


# What a bare machine with torch and a card lacks.
BLOCK = """
import sys
for name in ('mmengine', 'mmcv', 'mmseg', 'mmpretrain', 'cv2'):
    sys.modules[name] = None
"""


def test_tests_on_a_card_run_without_the_stack(tmp_path):
    """Those of the losses do; the others say what they miss."""
    (tmp_path / 'sitecustomize.py').write_text(BLOCK)
    told = make('-n', '--no-print-directory', 'test-cuda').stdout
    command = told.rsplit(' -m pytest ', 1)[1]
    arguments = shlex.split(command.replace('\\\n', ' '))
    # Here without a card, so that nothing is run.
    result = subprocess.run(
        [sys.executable, '-m', 'pytest', '-p', 'no:xdist', *arguments],
        cwd=ROOT,
        env=environment(tmp_path, ROOT),
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    lines = result.stdout.splitlines()
    for room in ('losses', 'engine', 'cls', 'seg'):
        told = [
            x for x in lines if x.startswith('SKIPPED') if f'/{room}/' in x
        ]
        lacks = ('could not import',)
        if room == 'losses':
            # An old torch cannot trace the loss, wherever it runs.
            lacks = 'needs 1 CUDA', 'torch 2.1 runs'
        assert told or room == 'losses'
        assert not [x for x in told if not any(y in x for y in lacks)]
    assert any('needs 1 CUDA devices' in line for line in lines)
