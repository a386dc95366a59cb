"""Promises of the Makefile that need no download."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

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


def install_metadata(environment, name, version):
    (library,) = environment.glob('lib/python3*/site-packages')
    folder = library / f'{name.replace("-", "_")}-{version}.dist-info'
    folder.mkdir()
    (folder / 'METADATA').write_text(
        f'Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n'
    )


@pytest.fixture
def environment(tmp_path):
    """An environment that mmpaco did not make, with a foreign package."""
    folder = tmp_path / 'environment'
    command = [sys.executable, '-m', 'venv', '--without-pip', str(folder)]
    subprocess.run(command, check=True)
    return folder


def test_make_alone_lists_the_targets():
    result = make()
    assert result.returncode == 0
    targets = 'quickstart quickstart-seg test test-slow lint clean'
    for target in targets.split():
        assert f'  {target} ' in result.stdout


def test_an_environment_with_a_mixture_is_refused_and_left_alone(environment):
    install_metadata(environment, 'onedl-mmengine', '0.10.12')
    install_metadata(environment, 'mmcv', '2.1.0')
    result = make('test', f'VENV={environment}')
    assert result.returncode != 0
    assert 'pip uninstall -y onedl-mmengine mmcv' in result.stdout
    assert 'pip install -r' not in result.stdout


def test_seeds_and_arguments_reach_the_quickstart():
    result = make('-n', 'quickstart', 'SEEDS=5', 'QUICKSTART_ARGS=--fast')
    assert 'tools/quickstart.py --seeds 5 --fast' in result.stdout


def test_segmentation_needs_data():
    result = make('-n', 'quickstart-seg', 'DATA=a b', 'SEEDS=2')
    assert "tools/quickstart_seg.py 'a b' --seeds 2" in result.stdout
    result = make('quickstart-seg')
    assert result.returncode != 0
    assert 'needs DATA=' in result.stdout
    assert 'pip install' not in result.stdout
