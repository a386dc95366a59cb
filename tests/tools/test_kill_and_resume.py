"""Promises to a run that is killed, and resumed with the stock ``--resume``.

The trainings are real processes of ``tools/train.py``. Augmentation is left
out where two runs must be equal to the bit: the stack does not save the
state of the random number generators.
"""

import random
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from support.paths import TOOLS
from support.processes import environment
from support.resuming import train

PACO = 'paco/lenet5_mnist5k-lt.py'
# 16 batches of at most 64 of 988 images.
ITERATIONS = 16


@pytest.fixture
def small_config(mnist_config, tmp_path):
    """Write PaCo's config without augmentation, a checkpoint an epoch."""

    def write(max_epochs, queue_length=1500):
        cfg = mnist_config(PACO)
        for name in ('experiment_name', 'work_dir'):
            cfg.pop(name)
        views = cfg.train_dataloader.dataset.dataset.pipeline[0]
        views.transforms = [
            [x for x in views.transforms[0] if 'Random' not in x.type]
        ]
        cfg.train_cfg.max_epochs = max_epochs
        cfg.default_hooks.checkpoint.interval = 1
        cfg.model.head.queue_length = queue_length
        path = tmp_path / 'config.py'
        cfg.dump(str(path))
        return path

    return write


class Training:
    """A process of ``tools/train.py`` and what its directory tells of it."""

    def __init__(self, config, work_dir, *options):
        self.work_dir = work_dir
        self.iterations_before = self._logged()
        self.files_before = self._checkpoints()
        with open(f'{work_dir}.log', 'ab') as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, TOOLS / 'train.py', config),
                    *('--work-dir', work_dir, *options),
                ],
                env=environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _logged(self):
        return sum(
            path.read_bytes().count(b'\n')
            for path in self.work_dir.glob('*/vis_data/scalars.json')
        )

    def _checkpoints(self):
        files = self.work_dir.glob('epoch_*.pth')
        return {x: (x.stat().st_mtime_ns, x.stat().st_size) for x in files}

    def iterations(self):
        return self._logged() - self.iterations_before

    def writes_a_checkpoint(self):
        """Whether a checkpoint of the directory is another than it was."""
        try:
            return self._checkpoints().items() - self.files_before.items()
        except FileNotFoundError:  # the oldest was removed meanwhile
            return False

    def kill_after(self, iterations, seconds):
        """Whatever comes first."""
        until = time.monotonic() + seconds
        while self.iterations() < iterations and time.monotonic() < until:
            time.sleep(0.002)
            self.check_running()
        self.kill()

    def kill_while_it_writes(self):
        # Without a pause, for a file is written in some milliseconds.
        while not self.writes_a_checkpoint():
            self.check_running()
        self.kill()

    def check_running(self):
        assert self.process.poll() is None, self.output()

    def kill(self):
        self.process.kill()
        assert self.process.wait() == -signal.SIGKILL, self.output()

    def left_a_checkpoint_half_written(self):
        return any(not is_whole(x) for x, _ in self.writes_a_checkpoint())

    def finish(self):
        assert self.process.wait(600) == 0, self.output()

    def output(self):
        return Path(f'{self.work_dir}.log').read_text(errors='replace')[-3000:]


def is_whole(path):
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except zipfile.BadZipFile:
        return False


def assert_equal(mine, theirs, name=''):
    """Compare to the bit, through containers."""
    if isinstance(mine, dict):
        assert mine.keys() == theirs.keys(), name
        for key in mine:
            assert_equal(mine[key], theirs[key], f'{name}.{key}')
    elif isinstance(mine, (list, tuple)):
        assert len(mine) == len(theirs), name
        for index, pair in enumerate(zip(mine, theirs)):
            assert_equal(*pair, f'{name}.{index}')
    elif isinstance(mine, torch.Tensor):
        assert torch.equal(mine, theirs), name
    else:
        assert mine == theirs, name


def load(path):
    checkpoint = torch.load(path, weights_only=False)
    return {
        **{
            key: checkpoint[key]
            for key in ('state_dict', 'optimizer', 'param_schedulers')
        },
        **{key: checkpoint['meta'][key] for key in ('epoch', 'iter', 'seed')},
    }


@pytest.mark.parametrize(
    'seed, kills', [(0, 3), pytest.param(1, 10, marks=pytest.mark.slow)]
)
def test_a_run_killed_at_any_moment_ends_as_if_it_had_not_been(
    small_config, tmp_path, seed, kills
):
    """By turns while it trains, writes a checkpoint, and wherever it is."""
    draw = random.Random(seed)
    max_epochs = 2 * kills + 1
    # So long a queue makes a checkpoint of 61 MB, which takes time to write.
    config = small_config(max_epochs, queue_length=120000)
    undisturbed = Training(config, tmp_path / 'undisturbed')
    undisturbed.finish()

    work_dir = tmp_path / 'killed'
    half_written = 0
    for kill in range(kills):
        for _ in range(3):
            training = Training(config, work_dir, '--resume')
            if kill % 3 != 1:
                training.kill_after(
                    draw.randrange(1, 2 * ITERATIONS),
                    draw.uniform(0, 10) if kill % 3 else float('inf'),
                )
                break
            training.kill_while_it_writes()
            if training.left_a_checkpoint_half_written():
                half_written += 1
                break
    training = Training(config, work_dir, '--resume')
    training.finish()
    assert half_written
    assert_equal(
        load(undisturbed.work_dir / f'epoch_{max_epochs}.pth'),
        load(work_dir / f'epoch_{max_epochs}.pth'),
    )


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('undisturbed')


@pytest.fixture
def undisturbed(small_config, folder):
    """Directory of a run of three epochs, which the tests share."""
    work_dir = folder / 'work_dir'
    if not work_dir.exists():
        train(
            small_config(max_epochs=3),
            work_dir,
            **{'default_hooks.checkpoint.max_keep_ckpts': -1},
        )
    return work_dir


@pytest.mark.parametrize(
    'noted, whole, half, resumed',
    [
        pytest.param(
            'killed/epoch_1.pth', (1,), (2,), 1, id='killed while it writes'
        ),
        pytest.param(
            'killed/epoch_1.pth', (1, 2), (), 1, id='killed before the note'
        ),
        pytest.param('', (1, 2), (), 2, id='killed during the note'),
        pytest.param(
            'killed/epoch_2.pth',
            (1,),
            (2,),
            1,
            id='save_best writes once more',
        ),
        pytest.param('killed/epoch_1.pth', (2,), (), 2, id='max_keep_ckpts=1'),
        pytest.param('elsewhere/epoch_2.pth', (1, 2), (), 2, id='moved'),
    ],
)
def test_a_half_written_file_is_passed_over_and_nothing_is_lost(
    small_config, undisturbed, tmp_path, noted, whole, half, resumed
):
    work_dir = tmp_path / 'killed'
    leave(undisturbed, work_dir, noted, whole, half)
    _, start = train(small_config(max_epochs=3), work_dir, resume=True)
    assert start.epoch == resumed
    assert_equal(
        load(undisturbed / 'epoch_3.pth'), load(work_dir / 'epoch_3.pth')
    )


def test_a_run_without_a_whole_checkpoint_is_refused_with_what_to_do(
    small_config, undisturbed, tmp_path
):
    work_dir = tmp_path / 'killed'
    leave(undisturbed, work_dir, 'killed/epoch_1.pth', whole=(), half=(2,))
    message = "names '.*epoch_1.pth'.*among the 1 files.*epoch_{}.pth"
    with pytest.raises(RuntimeError, match=message) as error:
        train(small_config(max_epochs=3), work_dir, resume=True)
    assert str(work_dir) in str(error.value)
    assert 'to begin again, train without --resume' in str(error.value)


def leave(undisturbed, work_dir, noted, whole, half=()):
    """Write what a killed run leaves: a note and checkpoints, by epoch."""
    work_dir.mkdir()
    for epoch in whole + half:
        content = (undisturbed / f'epoch_{epoch}.pth').read_bytes()
        if epoch in half:
            content = content[: len(content) // 2]
        (work_dir / f'epoch_{epoch}.pth').write_bytes(content)
    note = str(work_dir.parent / noted) if noted else ''
    (work_dir / 'last_checkpoint').write_text(note)


STATE_HOOK = """
import os
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import HOOKS


@HOOKS.register_module()
class StateHook(Hook):
    priority = 'LOWEST'

    def save(self, runner, when):
        torch.save(runner.model.module.state_dict(),
                   f'{runner.work_dir}/{when}{get_rank()}.pth')

    def before_train(self, runner):
        self.save(runner, 'start')

    def after_train(self, runner):
        self.save(runner, 'end')
        torch.distributed.barrier()
        os._exit(0)
"""


def test_a_queue_goes_on_with_another_world_size_and_batch_size(
    small_config, undisturbed, dist_train, tmp_path
):
    """One process with batches of 64, two with 32, one with 100."""
    images, length = 988, 1500
    work_dir = tmp_path / 'work_dir'
    leave(undisturbed, work_dir, 'work_dir/epoch_2.pth', whole=(2,))
    saved = load(work_dir / 'epoch_2.pth')['state_dict']

    cfg = Config.fromfile(str(small_config(max_epochs=3)))
    cfg.custom_imports.imports = ['mmpaco', 'state_hook']
    cfg.custom_hooks.append(dict(type='StateHook'))
    (tmp_path / 'state_hook.py').write_text(STATE_HOOK)
    dist_train(
        cfg,
        2,
        *('--work-dir', work_dir, '--resume'),
        *('--cfg-options', 'train_dataloader.batch_size=32'),
    )
    ends = []
    for rank in range(2):
        start, end = (
            torch.load(work_dir / f'{when}{rank}.pth', weights_only=True)
            for when in ('start', 'end')
        )
        assert_equal(saved, start)
        check_continued(start, end, images, length)
        ends.append(pick(end, 'queue'))
    assert_equal(*ends)

    saved = load(work_dir / 'epoch_3.pth')['state_dict']
    runner, start = train(
        small_config(max_epochs=3),
        work_dir,
        resume=True,
        **{'train_cfg.max_epochs': 4, 'train_dataloader.batch_size': 100},
    )
    assert_equal(saved, start.state)
    check_continued(start.state, runner.model.state_dict(), images, length)


def pick(state, part):
    return {k: v for k, v in state.items() if k.startswith(f'head.{part}.')}


def check_continued(start, end, images, length):
    """After an epoch the queue has its images, behind what it had."""
    pointer = int(start['head.queue.pointer'])
    assert int(end['head.queue.filled']) == length
    assert int(end['head.queue.pointer']) == (pointer + images) % length
    kept = (torch.arange(length) - pointer) % length >= images
    for name in ('rows', 'labels'):
        before, after = (x[f'head.queue.{name}'] for x in (start, end))
        assert torch.equal(before[kept], after[kept])
    counts = start['head.prior.class_counts']
    new = end['head.queue.labels'][~kept]
    assert torch.equal(torch.bincount(new, minlength=10), counts)
    assert_equal(pick(start, 'prior'), pick(end, 'prior'))
