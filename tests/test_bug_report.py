"""Promises of what ``python -m mmpaco.compat`` prints.

Broken environments are real folders of distributions, and the only ones that
the Python of a subprocess sees.
"""

import os
import subprocess
import sys

import pytest
import torch
import yaml
from support.distributions import ONEDL, write_metadata
from support.paths import ROOT

import mmpaco
from mmpaco.compat import release
from mmpaco.stack_versions import FAMILIES


def report(*options, **variables):
    return subprocess.run(
        [sys.executable, *options, '-m', 'mmpaco.compat'],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
    )


def rows(output):
    """The table, without what is said below it."""
    lines = output.split('\n\n')[0].splitlines()
    return dict(line.strip().split('  ', 1) for line in lines)


@pytest.fixture
def broken(tmp_path):
    """An environment of metadata, with or without files of torch."""

    def _broken(versions, source=None):
        write_metadata(tmp_path, versions)
        if source is not None:
            (tmp_path / 'torch').mkdir()
            (tmp_path / 'torch' / '__init__.py').write_text(source)
        return report('-S', PYTHONPATH=f'{tmp_path}:{ROOT}')

    return _broken


def test_this_environment_is_told_in_one_table():
    result = report(CUDA_VISIBLE_DEVICES='')
    assert result.returncode == 0, result.stderr
    told = {k.strip(): v.strip() for k, v in rows(result.stdout).items()}
    assert told['mmpaco'].startswith(f'{mmpaco.__version__} in ')
    assert sys.executable in told['Python']
    assert torch.__version__.startswith(told['torch'])
    assert told['stack'].split(',')[0] in ('onedl', 'openmmlab')
    assert told['device'] == 'none (torch.cuda is not available)'
    assert told['Triton path'] == 'off: no CUDA device'


def test_without_torch_it_says_so_and_how_to_get_it(broken):
    result = broken({})
    assert result.returncode == 1
    told = rows(result.stdout)
    assert told['device'].strip() == 'unknown: torch is not installed'
    assert 'Triton path' not in told
    assert 'wrong: mmpaco needs mmengine and mmcv' in result.stdout
    assert 'pip install "torch~=' in result.stdout
    assert not result.stderr


def test_a_mixture_is_told_with_all_that_is_there(broken):
    result = broken({**ONEDL, 'mmcv': '2.1.0'})
    assert result.returncode == 1
    assert 'MIXED' in rows(result.stdout)['stack']
    assert '  mmcv  ' in result.stdout and '  onedl-mmcv  ' in result.stdout
    assert 'wrong: mmpaco found distributions of OneDL and' in result.stdout
    assert result.stdout.count('pip uninstall -y') == 2


def test_a_torch_that_does_not_load_is_wrong_whatever_it_raises(broken):
    result = broken(ONEDL, "raise OSError('libcudart.so.12 is missing')")
    assert result.returncode == 1
    said = 'torch cannot be used (OSError: libcudart.so.12 is missing)'
    assert f'wrong: {said}' in result.stdout
    assert rows(result.stdout)['torch'].strip() == ONEDL['torch']


@pytest.mark.parametrize(
    ('source', 'said'),
    [
        ('import torch._C', "named 'torch._C'); install it again"),
        ('torch_c', "name 'torch_c' is not defined); install it again"),
        ('import sympy_', "named 'sympy_'); install sympy_"),
        (None, 'torch 2.14.1 is listed as installed, but there is none'),
    ],
)
def test_half_a_torch_is_wrong_and_told_with_the_rest(broken, source, said):
    result = broken(ONEDL, source)
    assert result.returncode == 1
    assert rows(result.stdout)['stack'].strip().startswith('onedl')
    assert 'wrong: torch' in result.stdout and said in result.stdout
    assert not result.stderr


def test_a_torch_too_old_for_the_losses_is_wrong_without_a_stack(broken):
    result = broken({'torch': '1.13.1+cu117'}, '')
    assert result.returncode == 1
    said = 'wrong: mmpaco needs at least torch 2.1, but 1.13.1+cu117 is'
    assert said in result.stdout
    assert 'mmpaco.losses works' not in result.stdout


@pytest.mark.parametrize('name', ['numpy', 'onedl-mmcv'])
def test_what_pip_left_without_metadata_is_not_installed(
    broken, tmp_path, name
):
    (tmp_path / f'{name.replace("-", "_")}-2.0.dist-info').mkdir()
    result = broken({k: v for k, v in ONEDL.items() if k != name})
    assert not result.stderr
    assert f'  {name}  ' not in result.stdout


def test_a_stack_newer_than_tested_is_noted(broken):
    result = broken({**ONEDL, 'onedl-mmengine': '0.11.0'})
    assert 'note: mmpaco was tested with onedl-mmengine' in result.stdout


def test_torch_alone_is_enough_for_the_losses(tmp_path):
    """The packages of this environment but for those of the stack."""
    code = """
import importlib.metadata as metadata, sys
found = metadata.version
def version(name):
    if name.replace('onedl-', '').startswith('mm') and name != 'mmpaco':
        raise metadata.PackageNotFoundError(name)
    return found(name)
metadata.version = version
from mmpaco.compat import main
sys.exit(main())
"""
    command = [sys.executable, '-c', code]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert rows(result.stdout)['stack'].strip() == 'none'
    assert 'note: mmpaco.losses works, but mmpaco needs' in result.stdout
    # A torch that the forks can take stays as it is.
    least = release(FAMILIES['onedl']['torch'].minimum)
    is_old = release(torch.__version__) < least
    assert ('"torch~=' in result.stdout) == is_old
    assert 'wrong:' not in result.stdout


def test_a_torchvision_of_another_torch_is_wrong(tmp_path):
    (tmp_path / 'torchvision').mkdir()
    (tmp_path / 'torchvision' / '__init__.py').write_text(
        "raise RuntimeError('operator torchvision::nms does not exist')"
    )
    result = report(PYTHONPATH=f'{tmp_path}:{ROOT}')
    assert result.returncode == 1
    said = 'torchvision cannot be used (RuntimeError: operator torchvision::'
    assert f'wrong: {said}' in result.stdout
    assert rows(result.stdout)['Triton path']


@pytest.mark.parametrize('form', ('bug_report', 'feature_request'))
def test_the_forms_for_issues_ask_for_it(form):
    file = ROOT / '.github' / 'ISSUE_TEMPLATE' / f'{form}.yml'
    fields = yaml.safe_load(file.read_text())['body']
    labels = [x['attributes'].get('label', '') for x in fields]
    assert any('`python -m mmpaco.compat`' in x for x in labels)
