"""What is resumed of what a kill or a power cut leaves, by any name."""

import functools
import os
import shutil
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from support.resuming import train
from support.tiny import write_tiny


def zero(path):
    """Put zeros where a power cut came before a block was written."""
    size = path.stat().st_size
    with path.open('r+b') as file:
        file.seek(size // 2)
        file.write(bytes(4096))


def cut(path):
    with path.open('r+b') as file:
        file.truncate(path.stat().st_size // 2)


def replace_by_folder(note):
    note.unlink()
    (note / 'content').mkdir(parents=True)


# What is left of last_checkpoint and of the checkpoint that it names; the
# epoch that is resumed.
LEFT = {
    'note of zero bytes': (lambda x: x.write_bytes(b''), None, 2),
    'note of zeros': (lambda x: x.write_bytes(bytes(60)), None, 2),
    'note of other bytes': (lambda x: x.write_bytes(b'\xff\xfe\x80'), None, 2),
    'note that is missing': (Path.unlink, None, 2),
    'note that is a folder': (replace_by_folder, None, 2),
    'zeros in the middle': (None, zero, 1),
    'cut short': (None, cut, 1),
    'of zero bytes': (None, lambda x: x.write_bytes(b''), 1),
    'gone': (None, Path.unlink, 1),
}


TEMPLATES = ('model_{:03d}.pth', 'epoch_{}.pth')


@pytest.fixture(scope='module')
def two_epochs(tmp_path_factory):
    """Give the folder of a run of two epochs, by the template of its names.

    It holds the config, and the run in ``killed``.
    """

    @functools.lru_cache
    def trained(template):
        folder = write_tiny(tmp_path_factory.mktemp('two_epochs'))
        cfg = Config.fromfile(str(folder / 'tiny.py'))
        cfg.default_hooks.checkpoint = dict(
            type='CheckpointHook', interval=1, filename_tmpl=template
        )
        cfg.custom_hooks = [dict(type='mmpaco.WholeCheckpointHook')]
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
        path, work_dir = folder / 'config.py', folder / 'killed'
        cfg.dump(str(path))
        train(path, work_dir, **{'train_cfg.max_epochs': 2})
        # What is named otherwise is no checkpoint of the run.
        for other in ('best_model_009.pth', 'model.pth', 'model_009.pth.bak'):
            torch.save({}, work_dir / other)
        return folder

    return trained


@pytest.mark.parametrize(
    'left, template',
    [
        *((left, TEMPLATES[0]) for left in LEFT),
        # Of the default names, a note and a checkpoint that are spoilt.
        ('note of zeros', TEMPLATES[1]),
        ('cut short', TEMPLATES[1]),
    ],
)
def test_the_newest_whole_checkpoint_is_found_by_its_name(
    tmp_path, two_epochs, template, left
):
    path, work_dir = two_epochs(template) / 'config.py', tmp_path / 'killed'
    shutil.copytree(path.parent / 'killed', work_dir)
    # The note has the path of the copy, as of a run that was killed there.
    last = work_dir / template.format(2)
    (work_dir / 'last_checkpoint').write_text(str(last))
    three = {'train_cfg.max_epochs': 3}

    spoil_note, spoil_checkpoint, resumed = LEFT[left]
    if spoil_note is not None:
        spoil_note(work_dir / 'last_checkpoint')
    else:
        spoil_checkpoint(last)
    _, start = train(path, work_dir, resume=True, **three)
    assert start.epoch == resumed
    # And the run is noted again.
    noted = (work_dir / 'last_checkpoint').read_text()
    assert Path(noted).stat().st_size > 0
    _, start = train(
        path, work_dir, resume=True, **{'train_cfg.max_epochs': 4}
    )
    assert start.epoch == 3


def test_names_of_another_template_are_known_by_the_note(
    tmp_path, tiny_config
):
    cfg = Config.fromfile(str(tiny_config() / 'tiny.py'))
    cfg.default_hooks.checkpoint = dict(
        type='CheckpointHook', interval=1, filename_tmpl='my-net2_{}.pth'
    )
    cfg.custom_hooks = [dict(type='mmpaco.WholeCheckpointHook')]
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    path, work_dir = tmp_path / 'config.py', tmp_path / 'run'
    cfg.dump(str(path))
    train(path, work_dir, **{'train_cfg.max_epochs': 2})
    zero(work_dir / 'my-net2_2.pth')
    del cfg.default_hooks.checkpoint['filename_tmpl']
    cfg.dump(str(path))
    _, start = train(
        path, work_dir, resume=True, **{'train_cfg.max_epochs': 3}
    )
    assert start.epoch == 1


def test_a_checkpoint_folder_of_its_own_is_searched(tmp_path, tiny_config):
    cfg = Config.fromfile(str(tiny_config() / 'tiny.py'))
    cfg.default_hooks.checkpoint = dict(
        type='CheckpointHook', interval=1, out_dir=str(tmp_path / 'out')
    )
    cfg.custom_hooks = [dict(type='mmpaco.WholeCheckpointHook')]
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    path, work_dir = tmp_path / 'config.py', tmp_path / 'run'
    cfg.dump(str(path))
    train(path, work_dir, **{'train_cfg.max_epochs': 2})
    assert not list(work_dir.glob('*.pth'))
    (work_dir / 'last_checkpoint').write_bytes(b'')
    zero(tmp_path / 'out' / 'run' / 'epoch_2.pth')
    _, start = train(
        path, work_dir, resume=True, **{'train_cfg.max_epochs': 3}
    )
    assert start.epoch == 1


def test_a_run_that_was_killed_before_its_first_checkpoint_begins(
    tmp_path, tiny_config
):
    cfg = Config.fromfile(str(tiny_config() / 'tiny.py'))
    cfg.custom_hooks = [dict(type='mmpaco.WholeCheckpointHook')]
    path, work_dir = tmp_path / 'config.py', tmp_path / 'run'
    cfg.dump(str(path))
    work_dir.mkdir()
    (work_dir / 'epoch_1.pth').write_bytes(b'PK')
    _, start = train(
        path, work_dir, resume=True, **{'train_cfg.max_epochs': 1}
    )
    assert start.epoch == 0


@pytest.fixture
def write_config(tmp_path, tiny_config):
    """Write a config with the hook, and give its path."""

    def write(**checkpoint):
        cfg = Config.fromfile(str(tiny_config() / 'tiny.py'))
        cfg.default_hooks.checkpoint = dict(
            type='CheckpointHook', interval=1, **checkpoint
        )
        cfg.custom_hooks = [dict(type='mmpaco.WholeCheckpointHook')]
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
        path = tmp_path / 'config.py'
        cfg.dump(str(path))
        return path

    return write


@pytest.fixture
def trained(write_config, tmp_path):
    """A config, and the directory of a run of three epochs."""
    path, work_dir = write_config(), tmp_path / 'trained'
    train(path, work_dir, **{'train_cfg.max_epochs': 3})
    return path, work_dir


def resume(trained):
    _, start = train(*trained, resume=True, **{'train_cfg.max_epochs': 4})
    return start.epoch


def test_notes_that_name_no_checkpoint_are_survived(trained):
    work_dir = trained[1]
    note = work_dir / 'last_checkpoint'
    # Too long for a name; cut anywhere, so that it names a folder.
    for text in ('a' * 300, '/', str(work_dir.parent), f'{work_dir}/'):
        note.write_text(text)
        assert resume(trained) == 3
        (work_dir / 'epoch_4.pth').unlink()


def test_a_folder_in_the_place_of_the_note_twice(trained):
    note = trained[1] / 'last_checkpoint'
    for _ in range(2):
        replace_by_folder(note)
        assert resume(trained) == 3
        (trained[1] / 'epoch_4.pth').unlink()
    assert (trained[1] / 'last_checkpoint_folder1' / 'content').is_dir()


def test_copies_with_times_in_disorder_are_told_by_their_numbers(trained):
    path, work_dir = trained
    moved = work_dir.with_name('moved')
    shutil.copytree(work_dir, moved)
    shutil.rmtree(work_dir)
    for second, epoch in enumerate((3, 1, 2)):
        os.utime(moved / f'epoch_{epoch}.pth', (second, second))
    assert resume((path, moved)) == 3


def test_a_longer_run_before_it_is_not_taken_for_this_one(trained):
    path, work_dir = trained
    shutil.copy(work_dir / 'epoch_3.pth', work_dir / 'epoch_90.pth')
    os.utime(work_dir / 'epoch_90.pth', (1, 1))
    zero(work_dir / 'epoch_3.pth')
    assert resume(trained) == 2


def test_a_copy_of_a_run_that_went_on_resumes_its_own(trained):
    path, work_dir = trained
    mine = work_dir.with_name('mine')
    shutil.copytree(work_dir, mine)
    (work_dir / 'epoch_3.pth').rename(work_dir / 'epoch_7.pth')
    assert resume((path, mine)) == 3


def test_what_cannot_be_looked_at_is_passed_over(trained):
    work_dir = trained[1]
    loop = work_dir / 'epoch_9.pth'
    loop.symlink_to(loop)
    # Nor a folder behind such a link.
    (work_dir / 'last_checkpoint').write_text(f'{loop}/epoch_3.pth')
    assert resume(trained) == 3


class SpoilHook(Hook):
    """Leaves a weight that is not finite after iteration 10."""

    priority = 'VERY_HIGH'

    def after_train_iter(
        self, runner, batch_idx, data_batch=None, outputs=None
    ):
        if runner.iter == 9:
            runner.model.head.fc.bias.data[0] = float('inf')


def test_weights_that_are_not_finite_are_not_saved(write_config, tmp_path):
    """Where a gradient was not finite, and no value of the forward."""
    cfg = Config.fromfile(str(write_config()))
    cfg.work_dir = str(tmp_path / 'run')
    cfg.experiment_name = 'spoiled'
    runner = Runner.from_cfg(cfg)
    runner.register_hook(SpoilHook())
    with pytest.raises(RuntimeError, match='after iteration 16.*not finite'):
        runner.train()
    saved = sorted(x.name for x in (tmp_path / 'run').glob('*.pth'))
    assert saved == ['epoch_1.pth']


class StepHook(Hook):
    """Notes what each loss is divided by, and after which a step is taken."""

    def __init__(self):
        self.shares, self.steps = [], []

    def before_train_iter(self, runner, *args, **kwargs):
        share = runner.optim_wrapper.scale_loss(torch.tensor(1.0))
        self.shares.append(float(share))

    def after_train_iter(self, runner, *args, **kwargs):
        self.steps.append(runner.optim_wrapper.should_update())


@pytest.mark.parametrize(
    'batch_size, count, shares, steps',
    [
        # As many of 32 images in fewer iterations than those before.
        (10, 4, [4] * 4, [4]),
        (10, 3, [3, 3, 2, 2], [2, 4]),
        # And in more.
        (2, 5, [5] * 14 + [2] * 2, [4, 9, 14, 16]),
        (4, 5, [5] * 4 + [4] * 4, [4, 8]),
    ],
)
def test_gradients_are_divided_by_their_number_in_epochs_of_another_length(
    tmp_path, two_epochs, batch_size, count, shares, steps
):
    """The third epoch begins with iteration 17, one of 2 x 8 before it."""
    folder = two_epochs(TEMPLATES[1])
    noted = StepHook()
    options = {
        'load_from': str(folder / 'killed' / 'epoch_2.pth'),
        'train_cfg.max_epochs': 3,
        'train_dataloader.batch_size': batch_size,
        'optim_wrapper.accumulative_counts': count,
    }
    train(folder / 'config.py', tmp_path, [noted], resume=True, **options)
    assert noted.shares == pytest.approx([1 / x for x in shares])
    assert [i + 1 for i, took in enumerate(noted.steps) if took] == steps
