"""Checkpoints are read without running what is in them."""

import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmpaco.engine.checkpoint import load_checkpoint

TOOLS = Path(__file__).resolve().parents[2] / 'tools'
SCHEDULE = """
optim_wrapper = dict(optimizer=dict(type='Adam', lr=0.01))
train_cfg = dict(by_epoch=True, max_epochs=2, val_interval=2)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, end=1),
    dict(type='CosineAnnealingLR', begin=1, end=9)]
"""


class Attribute:
    """``getattr`` in a file, of which each call may be called again."""

    def __init__(self, owner, name):
        self.args = owner, name

    def __call__(self):
        """To pickle, it must look like what it will be."""

    def __reduce__(self):
        return getattr, self.args


class Call:
    """A call that is made when the file is read."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def write_file(path):
    """A call that leaves a trace."""
    return Call(os.system, f'touch "{path}"')


def write_file_by_getattr(path):
    """The same, of names that are all in any checkpoint of the runner."""
    evaluate = Attribute(Attribute(getattr, '__self__'), 'eval')
    return Call(evaluate, f'__import__("pathlib").Path(r"{path}").touch()')


@pytest.fixture
def saved(tiny_config):
    """What the runner saved after two epochs, the second one resumed."""
    pytest.importorskip('mmpretrain')
    folder = tiny_config(extra=SCHEDULE)
    for epochs in (1, 2):
        cfg = Config.fromfile(str(folder / 'tiny.py'))
        cfg.work_dir = str(folder / 'work_dir')
        cfg.experiment_name = f'{folder.name}{epochs}'
        cfg.train_cfg.max_epochs = epochs
        cfg.resume = epochs > 1
        Runner.from_cfg(cfg).train()
    return folder / 'work_dir' / 'epoch_2.pth'


def assert_same(mine, theirs):
    assert type(mine) is type(theirs)
    if isinstance(mine, dict):
        assert list(mine) == list(theirs)
        for key in mine:
            assert_same(mine[key], theirs[key])
    elif isinstance(mine, (list, tuple)):
        assert len(mine) == len(theirs)
        for one, other in zip(mine, theirs):
            assert_same(one, other)
    elif hasattr(mine, 'statistics'):
        assert_same(mine.data[0].tolist(), theirs.data[0].tolist())
        assert_same(mine.data[1].tolist(), theirs.data[1].tolist())
        assert mine.statistics('mean') == theirs.statistics('mean')
    elif torch.is_tensor(mine):
        assert torch.equal(mine, theirs)
    else:
        assert mine == theirs


def test_all_that_a_resumed_run_saves_is_read_and_no_door_stays_open(saved):
    """Weights, optimizer, schedules, histories and messages."""
    mine = load_checkpoint(saved)
    theirs = load_checkpoint(saved, trust=True)
    parts = {'state_dict', 'optimizer', 'param_schedulers', 'message_hub'}
    assert parts <= set(mine) and mine['message_hub']['log_scalars']
    assert_same(mine, theirs)
    with pytest.raises(pickle.UnpicklingError, match='HistoryBuffer'):
        torch.load(saved, weights_only=True)


def test_a_checkpoint_of_another_numpy_is_read(saved, tmp_path):
    """Numpy 2 renamed a module whose name is in each checkpoint."""
    other = tmp_path / 'other.pth'
    with (
        zipfile.ZipFile(saved) as source,
        zipfile.ZipFile(other, 'w') as target,
    ):
        for name in source.namelist():
            content = source.read(name)
            if name.endswith('data.pkl'):
                old, new = b'cnumpy.core.', b'cnumpy._core.'
                if new in content:
                    old, new = new, old
                assert old in content
                content = content.replace(old, new)
            target.writestr(name, content)
    assert_same(load_checkpoint(other), load_checkpoint(saved))


@pytest.mark.parametrize(
    'attack, name',
    [
        (write_file, f'{os.system.__module__}.system'),
        (write_file_by_getattr, 'builtins.getattr'),
    ],
)
def test_a_file_that_runs_code_is_refused_and_trusted_only_on_demand(
    tmp_path, attack, name
):
    path, trace = tmp_path / 'evil.pth', tmp_path / 'trace'
    torch.save(dict(state_dict={}, meta=attack(trace)), path)
    with pytest.raises(ValueError, match='--trust') as error:
        load_checkpoint(path)
    assert f'{path} holds {name} ' in str(error.value)
    assert not trace.exists()

    assert load_checkpoint(path, trust=True)['state_dict'] == {}
    assert trace.exists()


def test_a_program_of_torchscript_is_refused(tmp_path):
    path = str(tmp_path / 'script.pth')
    torch.jit.script(torch.nn.Linear(2, 2)).save(path)
    with pytest.raises(ValueError, match='script.pth cannot be read'):
        load_checkpoint(path)


@pytest.mark.parametrize('share', (0, 0.3, 0.9, 0.999))
def test_a_file_that_was_cut_short_is_refused_by_name(tmp_path, share):
    path = tmp_path / 'whole.pth'
    torch.save(torch.nn.Linear(99, 99).state_dict(), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match='whole.pth cannot be read'):
        load_checkpoint(path)


def test_what_is_no_checkpoint_is_refused_by_name(tmp_path):
    path = tmp_path / 'notes.pth'
    path.write_text('hello\n')
    with pytest.raises(ValueError, match='notes.pth cannot be read'):
        load_checkpoint(path)
    torch.save(torch.ones(2), path)
    with pytest.raises(ValueError, match='notes.pth .* holds a Tensor'):
        load_checkpoint(path)
    with pytest.raises(FileNotFoundError, match='none.pth'):
        load_checkpoint(tmp_path / 'none.pth')


def test_the_test_tool_runs_code_of_a_checkpoint_only_if_told_to(saved):
    folder = saved.parents[1]
    path, trace = folder / 'evil.pth', folder / 'trace'
    torch.save(dict(load_checkpoint(saved), extra=write_file(trace)), path)
    command = [sys.executable, TOOLS / 'test.py', 'tiny.py', path]
    options = dict(
        cwd=folder,
        env={**os.environ, 'CUDA_VISIBLE_DEVICES': ''},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=300,
    )
    refused = subprocess.run(command, **options)
    assert refused.returncode == 1
    assert 'only if you trust' in refused.stdout
    assert not trace.exists()

    trusted = subprocess.run([*command, '--trust'], **options)
    assert trusted.returncode == 0, trusted.stdout
    assert trace.exists()
    assert 'accuracy/top1' in trusted.stdout
