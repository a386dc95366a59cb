"""The benchmark of the views."""

import os
import re
import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest
from PIL import Image
from support.paths import TOOLS

TOOL = TOOLS / 'benchmarks/pipelines.py'
NUMBER = r'([\d.]+)'
PARTS = {
    'randaug_n2-m10_sim': {
        *('decode', 'crop', 'flip', 'jitter', 'grayscale', 'blur'),
        *('RandAugment', 'packing', 'preprocessor'),
    },
    'cifar_autoaug-cutout_sim': {
        *('crop', 'flip', 'jitter', 'grayscale', 'blur', 'conversions'),
        *('AutoAugment', 'Cutout', 'packing', 'preprocessor'),
    },
}


def run(*args, **env):
    return subprocess.run(
        [sys.executable, '-W', 'ignore', TOOL, *map(str, args)],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(TOOL.parent)
    return import_module('pipelines')


def read(text):
    """Ratios, rates and microseconds of the parts, of each pair."""
    tables = {}
    for block in text.split('\n\n')[1:]:
        name_of_pair, *heads, _ = block.strip().splitlines()[:4]
        lines = block.strip().splitlines()[4:]
        ratios = {
            what: re.match(
                rf'  {what}: {NUMBER} of the release '
                rf'\({NUMBER} to {NUMBER} in',
                head,
            )
            for what, head in zip(('in the loader', 'in all'), heads)
        }
        rows = {}
        for line in lines:
            name, ours, release = line.rsplit(maxsplit=2)
            rows[name.strip()] = float(ours), float(release)
        tables[name_of_pair] = (
            {k: [float(x) for x in v.groups()] for k, v in ratios.items()},
            rows,
        )
    return tables


@pytest.fixture(scope='module')
def tables():
    pytest.importorskip('timm')
    done = run('--pairs', *PARTS, '--batch', 8, '--repeats', 3)
    assert done.returncode == 0, done.stderr[-3000:]
    return read(done.stdout)


@pytest.mark.parametrize('pair', PARTS)
def test_both_are_timed_whole_and_by_parts(tables, pair):
    ratios, rows = tables[pair]
    for ratio, least, most in ratios.values():
        assert 0 < least <= ratio <= most
    ratio = ratios['in the loader'][0]
    ours, release = rows.pop('loaded / s')
    # Rounds differ, and so do the images that a median is of.
    assert ours / release == pytest.approx(1 / ratio, rel=0.5)
    sums = rows.pop('us in all')
    for i in range(2):
        assert sum(row[i] for row in rows.values()) == pytest.approx(
            sums[i], abs=len(rows)
        )
    assert {name for name, row in rows.items() if row[1]} >= PARTS[pair] - {
        # It may be too short, or not drawn at all.
        'blur',
        'grayscale',
    }
    assert {*rows} >= PARTS[pair]
    assert {*rows} - PARTS[pair] <= {'conversions', 'copies, rest'}


def test_a_step_gets_its_own_seconds_alone(tool):
    timed = import_module('pipelines_timed').Timed
    spent = dict(inner=0.0, outer=0.0)

    def work(_):
        return sum(range(400_000))

    inner = timed('inner', work, spent)
    outer = timed('outer', lambda x: [inner(x), inner(x)], spent)
    outer(0)
    assert 0 <= spent['outer'] < spent['inner'] / 4
    assert not timed.running


@pytest.mark.parametrize('pair', PARTS)
def test_both_give_batches_of_the_same_kind(pair, tool, tmp_path):
    """Of equal shape, and of nearly equal colours over many draws."""
    pytest.importorskip('timm')
    size = tool.PAIRS[pair].size
    photo = Image.fromarray(tool.photographs()[1])
    if size == 224:
        given = str(tmp_path / 'photo.jpg')
        photo.resize((320, 213)).save(given, quality=95)
    else:
        given = np.array(photo.resize((32, 32)))
    outs = []
    for kind in (tool.Ours, tool.Release):
        tool.seed(0)
        made = kind(pair, tool.PAIRS[pair], None)
        outs.append(made.join(made.load([given] * 48)))
    assert outs[0].shape == outs[1].shape == (96, 3, size, size)
    assert outs[0].dtype == outs[1].dtype
    for view in (slice(0, 48), slice(48, 96)):
        ours, release = (x[view].mean((0, 2, 3)) for x in outs)
        assert (ours - release).abs().max() < 0.35


def test_without_timm_it_tells_what_to_install(tmp_path):
    (tmp_path / 'timm').mkdir()
    (tmp_path / 'timm/__init__.py').write_text(
        'raise ModuleNotFoundError("No module named timm")'
    )
    path = os.pathsep.join([str(tmp_path), *sys.path])
    done = run('--pairs', 'randaug_n2-m10_sim', PYTHONPATH=path)
    assert done.returncode == 1
    assert (
        done.stderr.strip()
        .splitlines()[-1]
        .endswith('run: pip install "timm>=1.0,<2"')
    )
