"""The benchmark of the loss."""

import csv
import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest
from support.paths import TOOLS

TOOL = TOOLS / 'benchmarks/loss.py'
PEERS = {
    'pml': ('pytorch-metric-learning', 'pytorch_metric_learning'),
    'lightly': ('lightly', 'lightly'),
}


def run(*args, **env):
    return subprocess.run(
        [sys.executable, '-W', 'ignore', TOOL, *map(str, args)],
        env={**os.environ, 'OMP_NUM_THREADS': '1', 'COLUMNS': '80', **env},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope='module')
def without_peers(tmp_path_factory):
    """Run both cases where no peer can be imported."""
    folder = tmp_path_factory.mktemp('benchmark')
    for _, module in PEERS.values():
        (folder / f'{module}.py').write_text('raise ImportError')
    done = run(
        *('--sizes', 96, 512, '--classes', 10, 7, '--repeats', 2),
        *('--device', 'cpu', '--out', folder / 'out'),
        PYTHONPATH=str(folder),
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout, folder / 'out'


def read(out):
    with (out / 'loss.csv').open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        for key in set(row) - {'case', 'variant'}:
            row[key] = float(row[key]) if row[key] else None
    return {(r['case'], r['C'], r['N'], r['variant']): r for r in rows}


def test_every_variant_is_timed_and_its_memory_measured(without_peers):
    rows = read(without_peers[1])
    assert list(rows) == [
        (case, C, N, variant)
        for case in ('pixels', 'queue')
        for C in (7, 10)
        for N in (96, 512)
        for variant in ('tiled', 'dense', 'floor')
    ]
    for (case, _, _, variant), row in rows.items():
        assert row['M'] == (8192 if case == 'queue' else 0)
        assert 0 < row['min_ms'] <= row['median_ms'] <= row['max_ms']
        if variant == 'floor':
            assert row['memory_mib'] is None
        else:
            assert row['memory_mib'] > 0


def test_memory_is_that_of_the_matrices_that_are_held(without_peers):
    rows = read(without_peers[1])
    for case, extra in (('pixels', 0), ('queue', 8192)):
        matrix = 4 * 512 * (512 + extra) / 2**20
        dense, tiled = (
            rows[case, 10, 512, variant]['memory_mib']
            for variant in ('dense', 'tiled')
        )
        assert 2 * matrix < dense < 12 * matrix
        assert 0 < tiled < dense / 2


def test_ratios_are_those_of_the_times(without_peers):
    rows = read(without_peers[1])
    for (case, C, N, _), row in rows.items():
        time = row['median_ms']
        floor, dense, before = (
            rows[case, C, size, variant]['median_ms']
            for size, variant in (
                (N, 'floor'),
                (N, 'dense'),
                (96, row['variant']),
            )
        )
        assert row['floor_ratio'] == pytest.approx(time / floor, rel=1e-4)
        assert row['dense_speedup'] == pytest.approx(dense / time, rel=1e-4)
        if N == 96:
            assert row['scaling'] is None
        else:
            assert row['scaling'] == pytest.approx(time / before, rel=1e-4)


def test_it_prints_tables_for_80_columns(without_peers):
    text = without_peers[0]
    assert text.startswith('Loss on cpu, torch ')
    assert 'threads: 1, rounds: 2' in text
    for name, (package, _) in PEERS.items():
        assert f'{name} is left out: {package} is not installed' in text
    lines = text.split('written: ')[0].splitlines()
    assert max(map(len, lines)) <= 80
    assert sum(line.startswith('tiled, N = 96 to 512') for line in lines) == 2
    # Nothing was cut off.
    assert '…' not in text


def test_it_draws_a_picture(without_peers):
    from matplotlib.image import imread

    image = imread(without_peers[1] / 'loss.png')
    assert image.shape[0] > 400 and image.shape[1] > 800
    assert image[..., :3].std() > 0


def test_it_times_the_peers_that_are_installed(tmp_path):
    done = run(
        # Two views of an odd number leave out one anchor.
        *('--cases', 'pixels', '--sizes', 97, '--classes', 10),
        *('--repeats', 1, '--device', 'cpu', '--out', tmp_path),
    )
    assert done.returncode == 0, done.stderr[-3000:]
    rows = read(tmp_path)
    for name, (package, module) in PEERS.items():
        if find_spec(module) is None:
            assert f'{name} is left out: {package} is not' in done.stdout
            continue
        assert f'{name} is of {package} ' in done.stdout
        row = rows['pixels', 10, 97, name]
        assert row['median_ms'] > 0 and row['memory_mib'] > 0
        assert row['dense_speedup'] > 0


def test_a_wrong_argument_is_told():
    done = run('--sizes', 1)
    assert done.returncode == 2
    assert (
        "--sizes: expected a whole number of at least 2, but got '1'"
        in done.stderr
    )


def test_the_table_of_a_device_can_be_tried_without_one(tmp_path):
    """Kernels are left out; each figure is a line of JSON at once."""
    done = run(
        *('--table', 'device', '--device', 'cpu', '--sizes', 48),
        *('--classes', 7, '--repeats', 1, '--out', tmp_path),
    )
    assert done.returncode == 0, done.stderr[-3000:]
    lines = (tmp_path / 'loss_device.jsonl').read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    keys = ('images', 'channels', 'more', 'classes')
    found = {tuple(row[x] for x in keys): [] for row in rows}
    for row in rows:
        assert 0 < row['least_us'] <= row['median_us'] <= row['most_us']
        found[tuple(row[x] for x in keys)].append(row['variant'])
    assert found == {
        (images, channels, more, classes): [
            'tiles',
            *(['dense'] if classes else []),
            'floor',
            'TF32 floor',
        ]
        for images, channels, more, classes in (
            *((1, channels, 0, 0) for channels in (128, 64, 256)),
            (4, 128, 0, 0),
            *((images, 128, 0, 7) for images in (1, 4)),
            *((1, 128, 8192, classes) for classes in (0, 7)),
        )
    }
    title = 'loss, C = 7, N = 48, D = 128, 4 images'
    assert done.stdout.count(title) == 2


MEASURED = """
tiles 4486 2100
kernels x3 860 296
kernels x1 500 138
floor 1157 1150
TF32 floor 284 280
"""


def test_ratios_of_a_device_stand_beside_their_targets(tmp_path):
    """Of events, and of what the card alone is busy; of a run cut off, too."""
    rows = []
    for line in MEASURED.strip().splitlines():
        variant, by_events, alone = line.rsplit(' ', 2)
        case = dict(images=1, rows=8192, channels=128, more=0, classes=0)
        times = dict(median_us=float(by_events), device_us=float(alone))
        rows.append(json.dumps(dict(case, variant=variant, **times)))
    (tmp_path / 'loss_device.jsonl').write_text('\n'.join(rows) + '\n')
    done = subprocess.run(
        [sys.executable, TOOL.with_name('gpu_steps.py'), 'tables', tmp_path],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    for told in (
        *('3.88 (1.83)', '0.743 (0.257)', '1.76 (0.493)', '5.22 (7.09)'),
        *('<= 0.3 card only', '<= 0.5 card only', '>= 4 met'),
    ):
        assert told in done.stdout
