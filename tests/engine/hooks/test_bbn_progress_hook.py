"""The progress of BBN, in real trainings."""

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from support.resuming import train

BBN = """
_base_ = 'tiny.py'
model = dict(
    type='mmpaco.BBNClassifier',
    data_preprocessor=dict(type='mmpaco.MultiViewDataPreprocessor'),
    backbone=dict(
        type='mmpaco.MultiExpertResNetCIFAR', num_experts=2, own_blocks=1,
        joined=True),
    head=dict(in_channels=16))
train_dataloader = dict(
    sampler=dict(_delete_=True, type='mmpaco.PairSampler'),
    dataset=dict(
        _delete_=True, type='mmpaco.PairedDataset',
        dataset=_base_.train_dataloader.dataset | dict(indices=22)))
custom_hooks = [
    dict(type='mmpaco.BBNProgressHook'), dict(type='NoteProgressHook')]
val_cfg = val_dataloader = val_evaluator = None
"""


@HOOKS.register_module()
class NoteProgressHook(Hook):
    """Notes the progress at the first iteration of each epoch, and labels."""

    told: list = []
    labels: list = []

    def before_train_iter(self, runner, batch_idx, data_batch):
        if batch_idx == 0:
            self.told.append(runner.model.progress)
        for view in data_batch['data_samples']:
            self.labels.append([int(x.gt_label) for x in view])


@pytest.fixture
def config(tiny_config, tmp_path):
    """A training of four epochs on 16 dark and 6 light images."""
    tiny_config()
    (tmp_path / 'bbn.py').write_text(BBN)
    NoteProgressHook.told.clear()
    NoteProgressHook.labels.clear()
    return tmp_path / 'bbn.py'


def test_progress_goes_by_epochs_and_on_after_a_resume(config, tmp_path):
    whole, _ = train(config, tmp_path / 'whole')
    schedule = [0, 0.25, 0.5, 0.75]
    assert NoteProgressHook.told == schedule
    labels = [*NoteProgressHook.labels]
    plain, rare = sum(labels[::2], []), sum(labels[1::2], [])
    # The 6 light ones are drawn with 16 / 22.
    assert len(plain) == len(rare) == 88
    assert plain.count(1) == 24 and rare.count(1) > 44
    for begun in (1, 3):
        NoteProgressHook.told.clear()
        NoteProgressHook.labels.clear()
        resumed, start = train(
            config,
            tmp_path / f'from{begun}',
            load_from=str(tmp_path / f'whole/epoch_{begun}.pth'),
            resume=True,
        )
        assert start.epoch == begun
        assert NoteProgressHook.told == schedule[begun:]
        # Six iterations an epoch, with the pairs of the whole training.
        assert NoteProgressHook.labels == labels[12 * begun :]
        for name, value in resumed.model.state_dict().items():
            assert torch.equal(value, whole.model.state_dict()[name]), name


def test_epochs_may_be_more_than_there_are(config, tmp_path):
    train(
        config,
        tmp_path / 'long',
        **{'custom_hooks.0.epochs': 5, 'train_cfg.max_epochs': 2},
    )
    assert NoteProgressHook.told == [0, 0.2]


# Of the release; epochs counted from 1.
SHARES = {
    200: {1: 1, 50: 0.939975, 101: 0.75, 200: 0.009975, 90: 0.801975},
    100: {45: 0.8064, 90: 0.2079},
}


@pytest.mark.parametrize('epochs', SHARES)
def test_shares_are_those_of_the_release(epochs):
    class Model(torch.nn.Module):
        def set_progress(self, progress):
            self.share = 1 - progress**2

    class Started:
        model = Model()

    hook = HOOKS.build(dict(type='mmpaco.BBNProgressHook', epochs=epochs))
    for epoch, share in SHARES[epochs].items():
        Started.epoch = epoch - 1
        hook.before_train_epoch(Started)
        assert Started.model.share == pytest.approx(share, rel=1e-12)
    if epochs == 200:
        Started.epoch = 179
        hook.before_train_epoch(Started)
        assert Started.model.share == pytest.approx(0.198975, rel=1e-12)


def refused(config, tmp_path, error, **options):
    cfg = Config.fromfile(str(config))
    cfg.work_dir = str(tmp_path / 'refused')
    cfg.experiment_name = f'{cfg.work_dir} {options}'
    cfg.custom_hooks.pop()
    cfg.merge_from_dict(options)
    with pytest.raises(error) as told:
        Runner.from_cfg(cfg).train()
    return str(told.value)


def test_what_does_not_go_together_is_told(config, tmp_path):
    options = {'custom_hooks': []}
    told = refused(config, tmp_path, RuntimeError, **options)
    assert "dict(type='mmpaco.BBNProgressHook')" in told
    options = {'custom_hooks.0.epochs': 3}
    told = refused(config, tmp_path, ValueError, **options)
    assert 'has 4 epochs' in told and 'epochs=3' in told
    options = {
        'train_cfg': dict(_delete_=True, by_epoch=False, max_iters=3),
    }
    told = refused(config, tmp_path, ValueError, **options)
    assert 'counts iterations' in told
    plain = dict(
        type='ImageClassifier',
        backbone=dict(type='ResNet_CIFAR', depth=18, in_channels=1),
        head=dict(type='LinearClsHead', num_classes=2, in_channels=512),
    )
    options = {'model': dict(_delete_=True, **plain)}
    told = refused(config, tmp_path, ValueError, **options)
    assert 'use mmpaco.BBNClassifier' in told
    # Pairs that nobody draws, and views that are none.
    options = {
        'train_dataloader.sampler': dict(
            _delete_=True, type='DefaultSampler', shuffle=True
        )
    }
    told = refused(config, tmp_path, ValueError, **options)
    assert 'expected 2 views of each image, but the batch has 1' in told
    assert 'mmpaco.PairSampler' in told
    steps = Config.fromfile(str(config)).pipeline
    views = dict(type='MultiView', num_views=2, transforms=[[]])
    dataset = 'train_dataloader.dataset'
    options = {
        **options,
        f'{dataset}.dataset.pipeline': [steps[0], views, steps[1]],
    }
    told = refused(config, tmp_path, ValueError, **options)
    assert 'without MultiView' in told
    options.pop('train_dataloader.sampler')
    told = refused(config, tmp_path, ValueError, **options)
    assert 'without MultiView' in told


@pytest.mark.parametrize('epochs', (0, -1, 1.5, True))
def test_epochs_are_an_integer(epochs):
    with pytest.raises(ValueError, match='epochs must be a positive integer'):
        HOOKS.build(dict(type='mmpaco.BBNProgressHook', epochs=epochs))
