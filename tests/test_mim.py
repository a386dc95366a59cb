"""The commands of docs/mim.md, by mim in an environment of its own."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from support.pages import code
from support.paths import ROOT

from mmpaco.compat import installed_stack

# The quickstart's data, small: mim takes no other way to say where it is.
QUICK = '--cfg-options train_cfg.max_epochs=1 train_cfg.val_interval=1'.split()
CONFIG = 'configs/baselines/cross-entropy_lenet5_mnist5k-lt.py'
IS_ONEDL = installed_stack().family == 'onedl'


def call(*command, cwd=ROOT):
    # The environment's own packages, and not those of this checkout.
    clean = {k: v for k, v in os.environ.items() if k != 'PYTHONPATH'}
    return subprocess.run(
        [str(x) for x in command],
        cwd=cwd,
        env={**clean, 'OMP_NUM_THREADS': '1'},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope='module')
def mim(tmp_path_factory):
    """Install mim beside this environment, and mmpaco as it can find it."""
    folder = tmp_path_factory.mktemp('mim')
    assert call(sys.executable, '-m', 'venv', folder).returncode == 0
    (site,) = folder.glob('lib/python*/site-packages')
    (site / 'base.pth').write_text(sysconfig.get_paths()['purelib'])
    pip = [folder / 'bin/python', '-m', 'pip', 'install', '-q']
    name = 'onedl-mim' if IS_ONEDL else 'openmim'
    done = call(*pip, name)
    if done.returncode:
        pytest.skip(f'{name} cannot be installed: {done.stderr[-300:]}')
    source = folder / 'source'
    done = call('git', 'clone', '-q', ROOT, source)
    assert done.returncode == 0, done.stderr
    place = ['-e', source] if IS_ONEDL else [source]
    done = call(*pip, '--no-deps', '--no-build-isolation', *place)
    assert done.returncode == 0, done.stderr
    return folder / 'bin/mim', source


@pytest.fixture(scope='module')
def here(mim, tmp_path_factory):
    """A folder with MNIST-5k and a model that mim trained."""
    folder = tmp_path_factory.mktemp('work')
    command, source = mim
    tool = source / 'tools/dataset_converters/mnist5k.py'
    done = call(command.with_name('python'), tool, cwd=folder)
    assert done.returncode == 0, done.stderr
    done = call(
        *(command, 'train', 'mmpretrain', source / CONFIG, '--gpus', '0'),
        *('-y', '--work-dir', 'run', *QUICK),
        cwd=folder,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.slow
@pytest.mark.parametrize('package', ['mmpretrain', 'mmpaco'])
def test_mim_tests_a_config_by_its_path(mim, here, package):
    command, source = mim
    done = call(
        *(command, 'test', package, source / CONFIG, '--gpus', '0', '-y'),
        *('--checkpoint', 'run/epoch_1.pth'),
        cwd=here,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'shot/all' in done.stdout + done.stderr


@pytest.mark.slow
def test_mim_trains_by_the_name_of_mmpaco(mim, here):
    command, source = mim
    done = call(
        *(command, 'train', 'mmpaco', source / CONFIG, '--gpus', '0', '-y'),
        *('--work-dir', 'again', *QUICK),
        cwd=here,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (here / 'again/epoch_1.pth').is_file()


@pytest.mark.slow
def test_mim_runs_a_tool(mim, here):
    name = 'mmpretrain::resnet/resnet18_8xb32_in1k.py'
    command, _ = mim
    done = call(
        command, 'run', 'mmpaco', 'apply_method', 'gpaco', name, cwd=here
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (here / 'resnet18_8xb32_in1k_gpaco.py').is_file()


@pytest.mark.slow
def test_mim_finds_the_models(mim, here):
    command, _ = mim
    done = call(command, 'search', 'mmpaco', '--model', 'gpaco', cwd=here)
    assert done.returncode == 0, done.stderr
    assert 'config id: gpaco_resnet50_imagenet-lt' in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('train', 'mmpaco', 'resnet50_imagenet-lt.py'), 'multiple config'),
        (('train', 'mmpaco', 'gpaco_resnet50_imagenet-lt'), 'can not find'),
        (('download', 'mmpaco', '--config', 'x'), 'weight'),
    ],
)
def test_what_mim_cannot_do_is_as_the_page_says(mim, here, arguments, message):
    command, _ = mim
    done = call(command, *arguments, cwd=here)
    assert done.returncode
    assert message in done.stdout + done.stderr


def test_the_page_names_configs_that_are_there():
    found = [
        Path(word)
        for text in code('mim.md', 'shell')
        for word in text.split()
        if word.startswith('configs/')
    ]
    assert len(found) == 3
    assert all((ROOT / path).is_file() for path in found)
