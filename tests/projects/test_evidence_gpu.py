"""The script that runs a grid for a limited time, tried without a GPU."""

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.paths import PROJECTS, ROOT
from support.processes import environment

GRID = """
from evidence_description import Description, Method

ENV = {'METHOD': 'baselines/balanced-softmax_resnet32_cifar100-lt-if100'}
GRID = Description(
    'small', 'page.md', 'projects/evidence/cifar100_lt',
    'work_dirs/evidence_small',
    [Method('a', 'short', env={**ENV, 'EPOCHS': '500', 'WORKERS': '2'})],
    {}, seeds=1,
)
"""


@pytest.fixture
def checkout(tmp_path):
    """A checkout with small images, and no records."""
    root = tmp_path / 'checkout'
    evidence = root / 'projects' / 'evidence'
    shutil.copytree(
        PROJECTS / 'evidence',
        evidence,
        ignore=shutil.ignore_patterns('records', '__pycache__'),
    )
    (evidence / 'records').mkdir()
    for name in ('configs', 'mmpaco', 'tools'):
        (root / name).symlink_to(ROOT / name)
    (root / 'page.md').write_text('a page\n')
    return root


def add_images(checkout):
    data = checkout / 'data' / 'cifar100_lt'
    (data / 'images').mkdir(parents=True)
    rng = np.random.default_rng(0)
    lines = []
    for label in range(100):
        for i in range(2):
            pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            path = f'images/{label}_{i}.png'
            Image.fromarray(pixels).save(data / path)
            lines.append(f'{path} {label}')
    for name in ('train_if100', 'val', 'test'):
        (data / f'{name}.txt').write_text('\n'.join(lines))


def run(checkout, out, *args, cwd=None, **variables):
    return subprocess.run(
        ['bash', checkout / 'projects/evidence/gpu.sh', out, *map(str, args)],
        env=environment(**variables),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=500,
    )


def test_what_is_not_there_is_told_before_anything(checkout, tmp_path):
    done = run(checkout, tmp_path / 'out', STATE=str(tmp_path / 'no.tar'))
    assert done.returncode == 2
    assert f'STATE: there is no {tmp_path}/no.tar' in done.stderr
    done = run(checkout, tmp_path / 'out', PYTHON='no/python')
    assert done.returncode == 2
    assert 'PYTHON: there is no no/python' in done.stderr


def test_paths_are_below_the_folder_of_the_caller(checkout, tmp_path):
    moved = checkout.rename(tmp_path / 'a checkout')
    here = tmp_path / 'a folder'
    here.mkdir()
    (here / 'own grid.py').write_text(GRID)
    # A link as a rule, it finds its packages by where it is called.
    python = Path(sys.executable)
    (here / 'env').symlink_to(python.parents[1])
    kept = 'projects/evidence/records/small/class_counts.json'
    run_file = 'work_dirs/evidence/one/run.json'
    with tarfile.open(here / 'state.tar', 'w') as state:
        for name in (kept, run_file):
            (here / 'file').write_text('[1]')
            state.add(here / 'file', name)
    done = run(
        moved,
        '.',
        60,
        'own grid.py',
        '--report',
        cwd=here,
        STATE='state.tar',
        PYTHON=f'env/{python.parent.name}/{python.name}',
    )
    assert done.returncode == 0, done.stdout
    # Of other grids, too.
    with tarfile.open(here / 'state.tar') as state:
        assert state.getnames() == [kept, run_file]


@pytest.mark.slow
def test_it_stops_in_time_and_goes_on(checkout, tmp_path):
    add_images(checkout)
    grid = tmp_path / 'own.py'
    grid.write_text(GRID)
    first = tmp_path / 'first'
    done = run(checkout, first, 120, grid)
    assert done.returncode == 1
    assert 'Stopped after 120 s' in done.stdout
    with tarfile.open(first / 'state.tar') as state:
        names = state.getnames()
    kept = [name for name in names if '/epoch_' in name]
    assert 1 <= len(kept) <= 2

    reached = max(int(x.split('epoch_')[1][:-4]) for x in kept)
    assert reached >= 2
    # As on a new machine.
    shutil.rmtree(checkout / 'work_dirs')
    second = tmp_path / 'second'
    run(checkout, second, 120, grid, STATE=str(first / 'state.tar'))
    log = checkout / 'work_dirs/evidence_small/a_seed0/log.txt'
    text = log.read_text()
    assert f'resumed epoch: {reached}' in text
    assert f'Epoch(train) [{reached + 1}]' in ' '.join(text.split())
