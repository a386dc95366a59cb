"""No process outlives the one that waits for it, by real kills."""

import os
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from support.paths import TOOLS
from support.processes import (
    environment,
    free_port,
    living,
    started,
    wait_until,
)

from mmpaco.runner.processes import map_in_processes, peak_memory

pytestmark = pytest.mark.skipif(os.name != 'posix', reason='signals of POSIX')


def half(x):
    if x < 0:
        raise ValueError(f'{x} is negative')
    return x / 2


def end_itself(x):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize('nproc', [None, 1, 2, 50])
def test_results_come_in_the_order_of_the_jobs(nproc):
    jobs = range(40)
    found = map_in_processes(half, jobs, nproc, chunksize=3)
    assert list(found) == [x / 2 for x in jobs]
    assert list(map_in_processes(half, [], nproc)) == []


@pytest.mark.parametrize('nproc', [1, 2])
def test_what_the_function_raises_comes_through(nproc):
    with pytest.raises(ValueError, match='-1 is negative'):
        list(map_in_processes(half, [4, -1, 6, 8], nproc, chunksize=1))


def test_a_killed_worker_is_told_and_not_waited_for():
    with pytest.raises(RuntimeError, match='one of 2 processes was killed'):
        list(map_in_processes(end_itself, range(20), 2))


def test_there_is_at_least_one_process():
    with pytest.raises(ValueError, match='nproc must be at least 1'):
        map_in_processes(half, [1], 0)


IDLE = """
import time
from mmpaco.runner.processes import map_in_processes, peak_memory

def wait(seconds):
    time.sleep(seconds)

if __name__ == '__main__':
    for _ in map_in_processes(wait, [0, 0, 0, 10_000], 3, chunksize=1):
        pass
"""


def many_links(folder, name, count=4000):
    """A large image by many names, whose decoding takes minutes."""
    noise = np.random.default_rng(0).integers(0, 4, (1500, 1500), np.uint8)
    folder.mkdir()
    first = folder / name.format(0)
    assert cv2.imwrite(str(first), noise)
    for i in range(1, count):
        (folder / name.format(i)).symlink_to(first)


def idle(folder):
    """Workers of which two wait for a job that never comes."""
    (folder / 'idle.py').write_text(IDLE)
    return [sys.executable, folder / 'idle.py']


def check_list(folder):
    pytest.importorskip('mmpretrain')
    many_links(folder / 'images', '{}.png')
    lines = [f'images/{i}.png 0\n' for i in range(4000)]
    (folder / 'list.txt').write_text(''.join(lines))
    tool = TOOLS / 'dataset_converters/check_list.py'
    return [
        *(sys.executable, tool, folder / 'list.txt', '--root', folder),
        *('--nproc', '3'),
    ]


def class_statistics(folder):
    pytest.importorskip('mmseg')
    many_links(folder / 'masks', '{}.png')
    (folder / 'config.py').write_text(
        """
default_scope = 'mmseg'
train_dataloader = dict(dataset=dict(
    type='BaseSegDataset', img_suffix='.png',
    data_prefix=dict(img_path='masks', seg_map_path='masks'),
    metainfo=dict(classes=('a', 'b', 'c', 'd')),
    pipeline=[dict(type='LoadAnnotations')]))
"""
    )
    tool = TOOLS / 'analysis_tools/class_statistics.py'
    return [sys.executable, tool, folder / 'config.py', '--nproc', '3']


@pytest.mark.parametrize(
    'command, number',
    [
        (idle, signal.SIGTERM),
        (idle, signal.SIGKILL),
        # The tools start workers as ``idle`` does; a kill is the harder end.
        (check_list, signal.SIGKILL),
        (class_statistics, signal.SIGKILL),
    ],
)
def test_workers_end_with_a_killed_process(tmp_path, command, number):
    with started(
        *command(tmp_path),
        word=tmp_path,
        cwd=tmp_path,
        env=environment(TOOLS.parent),
    ) as parent:
        assert wait_until(lambda: len(living(tmp_path)) == 4)
        # Then the workers are soon at work.
        time.sleep(0.5)
        os.kill(parent.pid, number)
        assert parent.wait(30) == -number
        assert wait_until(lambda: not living(tmp_path), 20)


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGKILL])
def test_ranks_end_with_a_killed_launcher(tiny_config, number):
    pytest.importorskip('mmpretrain')
    folder = tiny_config(
        extra='\ntrain_cfg.update(max_epochs=100_000)\n'
        'train_dataloader.update(num_workers=1)\n'
        'val_dataloader = val_cfg = val_evaluator = None\n'
    )
    with started(
        *('bash', TOOLS / 'dist_train.sh', folder / 'tiny.py', '2'),
        word=folder,
        cwd=folder,
        env=environment(TOOLS.parent, PORT=free_port()),
    ) as launcher:
        trained = folder / 'work_dirs/tiny/epoch_1.pth'
        assert wait_until(trained.exists, 120)
        assert len(living(folder)) >= 3
        os.kill(launcher.pid, number)
        launcher.wait(60)
        assert wait_until(lambda: not living(folder), 120)


@pytest.mark.skipif(
    not os.path.exists('/proc/self/status'), reason='known on Linux alone'
)
def test_peak_memory_is_that_of_the_largest_process():
    """It counts what was freed, and what a process started by it needs."""
    inner = (
        'a = bytearray(120 << 20)\ndel a\nprint("done", flush=True)\ninput()'
    )
    outer = (
        'import subprocess, sys\n'
        f'subprocess.run([sys.executable, "-c", {inner!r}])'
    )
    with subprocess.Popen(
        [sys.executable, '-c', outer],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        process.stdout.readline()
        assert 120 < peak_memory(process.pid) < 200
        process.communicate(b'\n')
    assert peak_memory(process.pid) is None
