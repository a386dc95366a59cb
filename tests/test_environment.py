"""Promises of the environments of the Makefile that need no download."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from support.distributions import write_metadata
from support.paths import ROOT

SCRIPT = ROOT / 'requirements' / 'environment.py'
ONEDL = {'torch': '2.14.1', 'onedl-mmengine': '0.10.12', 'onedl-mmcv': '2.3.6'}
MIXTURE = {'onedl-mmengine': '0.10.12', 'mmcv': '2.1.0'}
# It stands for pip wherever PYTHONPATH names its folder.
PIP = """
import os, shutil, sys, sysconfig
from importlib import metadata
from pathlib import Path

here = Path(__file__).parent
with open(here / 'log', 'a') as log:
    flag = ['MMCV_WITH_OPS'] if 'MMCV_WITH_OPS' in os.environ else []
    print(*flag, *sys.argv[1:], file=log)
if 'list' in sys.argv:
    for x in metadata.distributions():
        print(f'{x.metadata["Name"]}=={x.version}')
if 'requirements/onedl.txt' in sys.argv:
    library = sysconfig.get_path('purelib')
    shutil.copytree(here / 'onedl', library, dirs_exist_ok=True)
elif '-r' in sys.argv:
    open(sys.argv[-1]).close()
"""
needs_make = pytest.mark.skipif(
    shutil.which('make') is None, reason='make is not installed'
)


@pytest.fixture
def folder(tmp_path):
    """An environment that mmpaco did not make, with nothing in it."""
    folder = tmp_path / 'environment'
    command = [sys.executable, '-m', 'venv', '--without-pip', str(folder)]
    subprocess.run(command, check=True)
    return folder


@pytest.fixture
def fill(folder):
    (library,) = folder.glob('lib/python3*/site-packages')
    return lambda distributions: write_metadata(library, distributions)


@pytest.fixture
def pip(tmp_path):
    """The folder of a pip that only writes down what it is to do."""
    pip = tmp_path / 'pip'
    write_metadata(pip / 'onedl', ONEDL)
    (pip / 'pip.py').write_text(PIP)
    return pip


def run(*command, **variables):
    # Variables of a make that runs these tests would be inherited.
    inherited = {
        k: v
        for k, v in os.environ.items()
        if 'MAKE' not in k and k not in ('PYTHON', 'VENV', 'MMCV_WITH_OPS')
    }
    return subprocess.run(
        [str(x) for x in command],
        cwd=ROOT,
        env={**inherited, **{k: str(v) for k, v in variables.items()}},
        capture_output=True,
        text=True,
    )


def make(folder, *stamps, **variables):
    stamps = [folder / '.mmpaco' / x for x in stamps]
    python = f'PYTHON={sys.executable}'
    return run('make', python, f'VENV={folder}', *stamps, **variables)


def done(pip):
    """Return what pip was asked for since the last call, sorted."""
    log = pip / 'log'
    lines = log.read_text().splitlines() if log.exists() else []
    log.write_text('')
    return sorted(x for x in lines if not x.startswith('list'))


def chosen(*variables, **environ):
    result = run('make', '-n', 'lint', *variables, **environ)
    assert result.returncode == 0, result.stderr
    (line,) = (x for x in result.stdout.splitlines() if 'ruff check' in x)
    return line.split('/bin/python')[0]


@needs_make
def test_a_python_with_a_stack_means_its_environment(folder, fill):
    python = f'PYTHON={folder / "bin" / "python"}'
    assert chosen(python) == '.venv'
    fill(ONEDL)
    assert chosen(python) == str(folder)
    assert chosen(PYTHON=folder / 'bin' / 'python') == str(folder)


@needs_make
def test_other_pythons_only_make_the_environment(pip):
    assert chosen() == '.venv'
    assert chosen('PYTHON=/no/such/python') == '.venv'
    if not Path(sys.base_prefix, 'conda-meta').exists():
        system = Path(sys.base_prefix, 'bin', 'python3')
        stack = pip / 'onedl'
        check = (system, '-c', 'from mmpaco.compat import *; check_stack()')
        assert run(*check, PYTHONPATH=stack).returncode == 0
        assert chosen(f'PYTHON={system}', PYTHONPATH=stack) == '.venv'


@needs_make
def test_a_given_environment_wins(folder, fill):
    fill(ONEDL)
    python = folder / 'bin' / 'python'
    assert chosen(f'PYTHON={python}', 'VENV=other') == 'other'
    assert chosen(PYTHON=python, VENV='other') == 'other'


@pytest.mark.parametrize(
    ('step', 'version', 'needed'),
    (
        ('stack', (3, 9), 'The OneDL stack needs Python 3.10 or newer'),
        ('upstream', (3, 8), 'The OpenMMLab stack needs Python 3.9 to 3.11'),
        ('upstream', (3, 12), 'The OpenMMLab stack needs Python 3.9 to 3.11'),
    ),
)
def test_an_unfit_python_makes_nothing(tmp_path, step, version, needed):
    code = (
        f'import runpy, sys; sys.version_info = {version}; '
        'runpy.run_path(sys.argv.pop(1), run_name="__main__")'
    )
    folder = tmp_path / 'new'
    command = (sys.executable, '-c', code, SCRIPT, step, '--venv', folder)
    result = run(*command)
    assert result.returncode == 1
    found = f'{needed}, but {sys.executable} is {version[0]}.{version[1]}. '
    assert result.stderr.startswith(f'{found}Pass PYTHON=python3.11')
    assert not folder.exists()


@pytest.mark.skipif(sys.version_info < (3, 10), reason='OneDL needs 3.10')
@pytest.mark.skipif(not find_spec('ensurepip'), reason='ensurepip is missing')
def test_an_environment_is_made_once_and_kept_at_the_pins(tmp_path, pip):
    folder = tmp_path / 'new'
    step = (sys.executable, SCRIPT, '--venv', folder, 'stack')
    result = run(*step, PYTHONPATH=pip)
    assert result.returncode == 0, result.stderr
    assert f'Making {folder}' in result.stdout
    assert (folder / '.mmpaco' / 'stack').exists()
    assert done(pip) == ['install -r requirements/onedl.txt']
    # It holds a stack now, and is still one that was made here.
    result = run(*step, PYTHONPATH=pip)
    assert 'Making' not in result.stdout
    assert done(pip) == ['install -r requirements/onedl.txt']


def test_of_a_foreign_environment_the_stack_is_used(folder, fill, pip):
    fill({**ONEDL, 'einops': '0.8.2'})
    step = (sys.executable, SCRIPT, '--venv', folder, 'stack')
    result = run(*step, PYTHONPATH=pip)
    assert result.returncode == 0, result.stderr
    assert done(pip) == []
    constraints = (folder / '.mmpaco' / 'constraints.txt').read_text()
    assert set(ONEDL.items()) <= {
        tuple(x.split('==')) for x in constraints.splitlines()
    }
    assert 'einops' not in constraints


@needs_make
def test_a_stack_that_does_not_work_is_left_alone(folder, fill, pip):
    fill(MIXTURE)
    result = make(folder, 'package', PYTHONPATH=pip)
    assert result.returncode != 0
    assert 'pip uninstall -y onedl-mmengine mmcv' in result.stderr
    mend = f'Mend {folder} as said above, or choose another VENV=.'
    assert mend in result.stderr.splitlines()
    assert done(pip) == []
    assert not any((folder / '.mmpaco').iterdir())


@needs_make
def test_steps_are_taken_once(folder, pip):
    def redone():
        result = make(folder, 'package', 'tests', PYTHONPATH=pip)
        assert result.returncode == 0, result.stderr
        return done(pip)

    stamps = folder / '.mmpaco'
    package = 'install --no-deps -e .'
    extra = f'install -c {stamps}/constraints.txt -r requirements/tests.txt'
    everything = [package, extra, 'install -r requirements/onedl.txt']
    assert redone() == everything
    assert redone() == []

    (stamps / 'package').write_text('/another/checkout\n')
    assert redone() == [package]
    assert (stamps / 'package').read_text() == f'{ROOT}\n'

    os.utime(stamps / 'tests', (0, 0))
    assert redone() == [extra]
    os.utime(stamps / 'stack', (0, 0))
    assert redone() == everything
    assert redone() == []


def test_upstream_is_installed_in_two_steps(folder, fill, pip):
    step = (sys.executable, SCRIPT, '--venv', folder, 'upstream')
    assert 'going to be compiled' in run(*step, PYTHONPATH=pip).stdout
    steps = [
        'MMCV_WITH_OPS install --no-build-isolation '
        '-r requirements/upstream.txt',
        'install -r requirements/upstream-build.txt',
    ]
    assert done(pip) == steps
    assert (folder / '.mmpaco' / 'upstream').exists()
    fill({'mmcv': '2.1.0'})
    assert 'going to be compiled' not in run(*step, PYTHONPATH=pip).stdout


def test_a_step_that_fails_says_so_and_leaves_no_stamp(folder, pip):
    python = folder / 'bin' / 'python'
    step = (python, SCRIPT, '--venv', folder, 'extra', 'nothing')
    result = run(*step, PYTHONPATH=pip)
    assert result.returncode == 1
    sentence = result.stderr.splitlines()[-1]
    assert '-r requirements/nothing.txt ended with status 1' in sentence
    assert not (folder / '.mmpaco' / 'nothing').exists()


def test_a_folder_that_cannot_be_used_is_named(folder):
    (folder / '.mmpaco').write_text('')
    result = run(sys.executable, SCRIPT, '--venv', folder, 'stack')
    assert result.returncode == 1
    assert result.stderr.startswith(f'{folder} cannot be used (')
    assert result.stderr.count('\n') == 1
