"""An environment of a Python and a stack: how it is made and used."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Optional

from mmpaco.stack_versions import FAMILIES, PYTHONS

ROOT = Path(__file__).resolve().parents[2]
USES = Path(__file__).resolve().parent / 'uses'
REPORT = ('-m', 'mmpaco.compat')


class Support(NamedTuple):
    """What a stack needs.

    Args:
        minors (range): The Pythons, 11 for 3.11.
        beside_torch (tuple): What must be there beside torch.
        before (tuple): What pip is to install before the extra, and with
            which options, in this order.
    """

    minors: range
    beside_torch: tuple[str, ...] = ()
    before: tuple[tuple[str, ...], ...] = ()


STACKS = {
    'onedl': Support(PYTHONS['onedl']),
    'openmmlab': Support(
        PYTHONS['openmmlab'],
        ('numpy<2',),
        (
            ('-r', str(ROOT / 'requirements' / 'upstream-build.txt')),
            (
                '--no-build-isolation',
                'mmcv=={}'.format(FAMILIES['openmmlab']['mmcv'].tested),
            ),
        ),
    ),
}


def find_interpreter(minor: int) -> Optional[str]:
    """Find a Python 3 that runs, on the path or among pyenv's."""
    of_pyenv = Path.home().glob(f'.pyenv/versions/3.{minor}.*/bin/python')
    code = f'import sys; sys.exit(sys.version_info[:2] != (3, {minor}))'
    for python in (shutil.which(f'python3.{minor}'), *map(str, of_pyenv)):
        # One of pyenv's on the path may only say that it is not chosen.
        if python and not run_quietly(python, '-c', code).returncode:
            return python
    return None


def run_quietly(
    *command: str, **options: Any
) -> 'subprocess.CompletedProcess[str]':
    """Run a command and keep what it says, on either stream."""
    return subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors='replace',
        **options,
    )


class Environment:
    """An environment with its folder to work in, which has nothing of ours.

    Args:
        python (str): The interpreter that makes it.
        folder (Path): Its folder, made anew.
    """

    def __init__(self, python: str, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        self.folder = folder
        self.work = folder / 'work'
        self.work.mkdir(parents=True)
        self.log = folder / 'log'
        subprocess.run([python, '-m', 'venv', folder / 'venv'], check=True)
        self.python = str(folder / 'venv' / 'bin' / 'python')
        self.steps: dict[str, Any] = {}

    def step(self, name: str, *arguments: str) -> Optional[str]:
        """Run Python, note what came of it, and give what it said.

        Returns:
            str: What it said, or None if it failed. What follows is then
            tried all the same: it says more.
        """
        start = time.monotonic()
        variables = {**os.environ, 'MMCV_WITH_OPS': '1'}
        variables['CUDA_VISIBLE_DEVICES'] = ''
        variables.pop('PYTHONPATH', None)
        done = run_quietly(
            self.python,
            *arguments,
            cwd=self.work,
            env=variables,
        )
        with self.log.open('a') as log:
            log.write(f'== {name}: {" ".join(arguments)}\n{done.stdout}\n')
        lines = done.stdout.strip().splitlines() or ['']
        self.steps[name] = {
            'status': done.returncode,
            'seconds': round(time.monotonic() - start),
            'said': lines[-1] if done.returncode else '',
        }
        return None if done.returncode else done.stdout

    def install(self, name: str, *requirements: str) -> None:
        """Let pip install requirements, with options before them."""
        pip = ('-m', 'pip', '--disable-pip-version-check', 'install')
        self.step(name, *pip, '--quiet', *requirements)


def try_out(
    stack: str, python: str, wheel: Path, folder: Path
) -> dict[str, Any]:
    """Make an environment, install a wheel with its extra, and use it.

    Args:
        stack (str): The extra.
        python (str): The interpreter.
        wheel (Path): The wheel.
        folder (Path): Where to; the environment in it is left.

    Returns:
        dict: The steps with their status, what ``pip check`` said, the sizes
        in bytes and the report of the environment.
    """
    environment = Environment(python, folder)
    step, support = environment.step, STACKS[stack]
    torch = FAMILIES[stack]['torch'].tested
    environment.install(
        'pip: torch alone',
        str(wheel),
        f'torch=={torch}',
        *support.beside_torch,
    )
    step('losses alone', str(USES / 'use_losses.py'), 'alone')
    step('report alone', *REPORT)
    for requirements in support.before:
        name = Path(requirements[-1]).name
        environment.install(f'pip: {name}', *requirements)
    extras = f'{wheel}[{stack},quickstart]'
    # Torch is what the user chose, and stays.
    environment.install('pip: the extra', extras, f'torch=={torch}')
    check = run_quietly(environment.python, '-m', 'pip', 'check')
    mim = next((folder / 'venv').glob('lib/*/site-packages/mmpaco/.mim'))
    for name, *arguments in uses(mim):
        step(name, *arguments)
    return {
        'steps': environment.steps,
        'pip check': check.stdout.strip().splitlines(),
        'bytes': folder_size(folder / 'venv'),
        'report': step('report', *REPORT),
    }


def uses(mim: Path) -> Iterator[tuple[str, ...]]:
    """Give what is done in an environment with a stack, by name.

    Args:
        mim (Path): The configs and tools that the wheel brought.
    """
    yield 'losses', str(USES / 'use_losses.py')
    yield 'MNIST-5k', str(mim / 'tools/dataset_converters/mnist5k.py')
    yield (
        'quickstart',
        str(mim / 'tools/compare.py'),
        str(mim / 'configs/baselines/cross-entropy_lenet5_mnist5k-lt.py'),
        *('--methods', 'cross-entropy', 'gpaco'),
        *('--set', 'train_cfg.max_epochs=1', 'gpaco.queue_length=0'),
        *('gpaco.classifier=ImageClassifier', 'gpaco.projector_norm=BN1d'),
        *('--work-dir', 'quickstart', '--seeds', '1'),
    )
    yield 'inferencer', str(USES / 'use_inferencer.py'), 'quickstart'
    yield 'two streets', str(USES / 'write_streets.py'), 'streets'
    yield (
        'segmentation step',
        str(mim / 'tools/train.py'),
        str(mim / 'configs/gpaco/deeplabv3plus_r18_camvid.py'),
        *('--work-dir', 'segmentation', '--cfg-options'),
        *('train_cfg.max_iters=1', 'train_cfg.val_interval=1'),
        'train_dataloader.dataset.data_root=streets',
        'val_dataloader.dataset.data_root=streets',
        'train_dataloader.batch_size=2',
        'default_hooks.logger.interval=1',
    )
    yield (
        'its loss',
        str(USES / 'check_trained.py'),
        'segmentation',
        'loss_gpaco',
    )


def folder_size(folder: Path) -> int:
    """Add up the bytes of the files below a folder."""
    return sum(
        path.stat().st_size
        for path in folder.rglob('*')
        if path.is_file() and not path.is_symlink()
    )
