"""When class weights begin, in real trainings."""

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from support.resuming import train

LDAM = """
model = dict(head=dict(
    _delete_=True, type='mmpaco.CosineClsHead', num_classes=2, in_channels=8,
    loss=dict(type='mmpaco.LDAMLoss', num_classes=2)))
"""
RIDE = """
model = dict(
    backbone=dict(
        type='mmpaco.MultiExpertResNetCIFAR', num_experts=2, own_stages=1),
    head=dict(
        _delete_=True, type='mmpaco.MultiExpertClsHead', num_classes=2,
        in_channels=8, num_experts=2, topk=(1, ),
        loss=dict(type='mmpaco.RIDELoss', num_classes=2)))
"""
HOOKS_OF_ALL = """
custom_hooks = [
    dict(type='mmpaco.ClassPriorHook'),
    dict(type='mmpaco.DeferredReweightingHook', epoch=2),
    dict(type='NoteWeightsHook'),
]
val_cfg = val_dataloader = val_evaluator = None
"""


@HOOKS.register_module()
class NoteWeightsHook(Hook):
    """Notes at each iteration whether weights are on."""

    told: list = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        model = getattr(runner.model, 'module', runner.model)
        if batch_idx in (0, 7):
            is_on = model.head.loss_module.reweighting
            self.told.append((runner.epoch, is_on))


@pytest.fixture
def config(tiny_config, tmp_path, request):
    """A training of four epochs on 16 dark and 6 light images."""
    tiny_config()
    text = "_base_ = 'tiny.py'\ntrain_dataloader = dict(dataset=dict("
    model = getattr(request, 'param', LDAM)
    (tmp_path / 'deferred.py').write_text(
        f'{text}indices=22))\n{model}{HOOKS_OF_ALL}'
    )
    NoteWeightsHook.told.clear()
    return tmp_path / 'deferred.py'


@pytest.mark.parametrize(
    'config', (LDAM, RIDE), ids=('ldam', 'ride'), indirect=True
)
def test_weights_begin_with_the_epoch_and_after_a_resume(config, tmp_path):
    whole, _ = train(config, tmp_path / 'whole')
    # Six iterations an epoch, so one note.
    schedule = [(0, False), (1, False), (2, True), (3, True)]
    assert NoteWeightsHook.told == schedule
    loss = whole.model.head.loss_module
    assert loss.prior().tolist() == [16, 6]
    for begun in (1, 2, 3):
        NoteWeightsHook.told.clear()
        resumed, start = train(
            config,
            tmp_path / f'from{begun}',
            load_from=str(tmp_path / f'whole/epoch_{begun}.pth'),
            resume=True,
        )
        assert start.epoch == begun
        assert NoteWeightsHook.told == schedule[begun:]
        for name, value in resumed.model.state_dict().items():
            assert torch.equal(value, whole.model.state_dict()[name]), name


def test_the_weights_are_another_training(config, tmp_path):
    states = []
    for epoch in (0, 4):
        runner, _ = train(
            config,
            tmp_path / f'at{epoch}',
            **{'custom_hooks.1.epoch': epoch, 'train_cfg.max_epochs': 2},
        )
        states.append(runner.model.state_dict()['head.fc.weight'])
    told = [is_on for _, is_on in NoteWeightsHook.told]
    assert told == [True, True, False, False]
    assert not torch.equal(*states)


def refused(config, tmp_path, **options):
    cfg = Config.fromfile(str(config))
    cfg.work_dir = str(tmp_path / 'refused')
    cfg.merge_from_dict(options)
    with pytest.raises(ValueError) as error:
        Runner.from_cfg(cfg).train()
    return str(error.value)


def test_what_cannot_be_switched_is_told_before_training(config, tmp_path):
    options = {'experiment_name': 'nothing', 'model.head.loss.beta': 0}
    assert 'no class weights' in refused(config, tmp_path, **options)
    options = {
        'experiment_name': 'shares',
        'model.head.loss.class_counts': [0.7, 0.3],
    }
    assert 'got shares' in refused(config, tmp_path, **options)
    loss = dict(_delete_=True, type='CrossEntropyLoss')
    options = {'experiment_name': 'plain', 'model.head.loss': loss}
    told = refused(config, tmp_path, **options)
    assert 'nothing can be re-weighted' in told and 'LDAMLoss' in told
    options = {
        'experiment_name': 'iterations',
        'train_cfg': dict(_delete_=True, by_epoch=False, max_iters=3),
        'train_dataloader.sampler.type': 'InfiniteSampler',
    }
    assert 'counts iterations' in refused(config, tmp_path, **options)
    assert NoteWeightsHook.told == []


def test_an_epoch_after_the_end_is_told(config, tmp_path):
    train(config, tmp_path / 'late', **{'train_cfg.max_epochs': 1})
    (log,) = (tmp_path / 'late').rglob('*.log')
    assert 'ends after 1 epochs: without weights' in log.read_text()


@pytest.mark.parametrize('epoch', (-1, 1.5, True, None))
def test_an_epoch_is_an_integer(epoch):
    with pytest.raises(ValueError, match='epoch must be an integer'):
        HOOKS.build(dict(type='mmpaco.DeferredReweightingHook', epoch=epoch))


def test_a_wrapped_model_is_switched(config):
    """As DDP wraps it, in a process of its own group."""
    from mmengine.model import MMDistributedDataParallel
    from support.processes import free_port

    from mmpaco.losses import LDAMLoss

    torch.distributed.init_process_group(
        'gloo',
        init_method=f'tcp://127.0.0.1:{free_port()}',
        rank=0,
        world_size=1,
    )
    try:
        loss = LDAMLoss(2)
        net = torch.nn.Sequential(torch.nn.Linear(2, 2), loss)
        hook = HOOKS.build(
            dict(type='mmpaco.DeferredReweightingHook', epoch=1)
        )

        class Started:
            model = MMDistributedDataParallel(net)
            epoch = 1

        hook.before_train_epoch(Started)
        assert loss.reweighting
    finally:
        torch.distributed.destroy_process_group()
