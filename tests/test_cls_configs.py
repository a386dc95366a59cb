"""Promises of the configs for the papers' classification systems.

Their settings are the release's, in a model of full size.
"""

import math
import re

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import (
    PARAM_SCHEDULERS,
    init_default_scope,
)
from support.released_settings import DATA, RUNS
from support.small_cls import (
    CONFIGS,
    NAMES,
    build,
    data_of,
    load,
    pipeline,
    views_of,
)

METHODS = [name for name in NAMES if not name.startswith('baselines/')]


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmpretrain')


def test_every_promised_config_is_there():
    assert set(METHODS) == set(RUNS)
    assert sum(name.startswith('gpaco/') for name in METHODS) == 11
    assert sum(name.startswith('paco/') for name in METHODS) == 14


@pytest.mark.usefixtures('no_init')
@pytest.mark.parametrize('name', METHODS)
def test_settings_are_those_of_the_release(name):
    cfg, run = load(name), RUNS[name]
    is_paco, data = name.startswith('paco/'), data_of(name)
    assert cfg.train_dataloader.batch_size * run.gpus == run.batch
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.lr, optimizer.weight_decay) == (run.lr, run.decay)
    expected = 'AmpOptimWrapper' if run.amp else 'OptimWrapper'
    assert cfg.optim_wrapper.type == expected
    assert cfg.train_cfg.max_epochs == (30 if data == 'places-lt' else 400)
    assert views_of(cfg) == [pipeline(view) for view in run.views]

    model = build(cfg, name)
    head = model.head
    loss = head.loss_module
    assert type(loss).__name__ == 'PaCoLoss'
    assert (loss.alpha, loss.temperature) == (run.alpha, run.tau)
    assert (loss.beta, loss.gamma) == (1, 1)
    assert loss.label_smoothing == run.smoothing
    assert head.queue.length == run.queue
    assert head.projector.out_channels == run.dim
    layers = list(head.projector.modules())
    linear = sum(isinstance(m, torch.nn.Linear) for m in layers)
    norms = sum(isinstance(m, torch.nn.BatchNorm1d) for m in layers)
    assert (linear, norms) == ((2, 1) if is_paco else (3, 0))
    assert (model.momentum_encoder is not None) == is_paco
    if is_paco:
        momentum = model.momentum_encoder.momentum
        assert math.isclose(momentum, 1 - 0.999)
    balanced = data in ('imagenet', 'cifar100')
    assert (head.prior is None) == balanced
    hooks = [hook.type for hook in cfg.custom_hooks]
    assert ('mmpaco.ClassPriorHook' in hooks) == (not balanced)
    assert 'mmpaco.PaCoQueueHook' in hooks


@pytest.mark.parametrize('name', NAMES)
def test_what_a_config_shares_with_all_others(name):
    cfg, data = load(name), data_of(name)
    num_classes, (mean, std), is_chosen = DATA[data]
    assert cfg.data_preprocessor.num_classes == num_classes
    assert cfg.model.head.num_classes == num_classes
    assert cfg.data_preprocessor.mean == pytest.approx([255 * x for x in mean])
    assert cfg.data_preprocessor.std == pytest.approx([255 * x for x in std])
    assert cfg.data_preprocessor.to_rgb == (not data.startswith('cifar'))

    loader = cfg.train_dataloader
    assert loader.drop_last and loader.sampler.shuffle
    # One GPU count, with which the batch is whole.
    gpus = cfg.auto_scale_lr.base_batch_size / loader.batch_size
    assert gpus == (RUNS[name].gpus if name in RUNS else round(gpus))
    optimizer = cfg.optim_wrapper.optimizer
    assert optimizer.type == 'SGD' and optimizer.momentum == 0.9
    assert 'nesterov' not in optimizer
    assert 'paramwise_cfg' not in cfg.optim_wrapper

    checkpoint = cfg.default_hooks.checkpoint
    assert checkpoint.max_keep_ckpts == 2
    if 'supcon-stage1' in name:
        assert cfg.val_dataloader is cfg.test_dataloader is None
        return
    assert not loader.dataset.get('test_mode', False)
    for split in ('val', 'test'):
        found = cfg[f'{split}_dataloader']
        assert not found.sampler.shuffle
        evaluator = cfg[f'{split}_evaluator']
        if data in ('imagenet', 'cifar100'):
            assert evaluator.type == 'Accuracy'
        else:
            assert evaluator.type == 'mmpaco.ShotAccuracy'
            counted = evaluator.train_dataset
            assert counted.split == loader.dataset.split == 'train'
            assert counted.get('factor') == loader.dataset.get('factor')
    if is_chosen:
        assert checkpoint.save_best == 'shot/all'
        assert checkpoint.rule == 'greater'
        assert cfg.val_dataloader.dataset.split == 'val'
        assert cfg.test_dataloader.dataset.split == 'test'
    else:
        # What is reported must choose nothing.
        assert 'save_best' not in checkpoint
        assert cfg.val_dataloader == cfg.test_dataloader
    if data == 'cifar100-lt':
        assert name.endswith(f'-if{loader.dataset.factor}')


def rate_of_cosine(epoch, epochs, warmup):
    if epoch < warmup:
        return (epoch + 1) / warmup
    turn = math.pi * (epoch - warmup + 1) / (epochs - warmup + 1)
    return (1 + math.cos(turn)) / 2


def rate_of_steps(epoch):
    if epoch <= 10:
        return (epoch + 1) / 10
    return 1 if epoch <= 320 else 0.1 if epoch <= 360 else 0.01


SCHEDULES = {
    'sgd_400e': lambda e: rate_of_cosine(e, 400, 10),
    'sgd_30e': lambda e: rate_of_cosine(e, 30, 5),
    'cifar_400e': rate_of_steps,
}


@pytest.mark.parametrize('schedule', SCHEDULES)
def test_learning_rate_of_every_epoch(schedule):
    cfg = Config.fromfile(CONFIGS / f'_base_/schedules/{schedule}.py')
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=0.3)
    schedulers = [
        PARAM_SCHEDULERS.build(dict(s), default_args=dict(optimizer=optimizer))
        for s in cfg.param_scheduler
    ]
    # As ParamSchedulerHook steps them.
    assert all(scheduler.by_epoch for scheduler in schedulers)
    for epoch in range(cfg.train_cfg.max_epochs):
        expected = 0.3 * SCHEDULES[schedule](epoch)
        assert math.isclose(optimizer.param_groups[0]['lr'], expected), epoch
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()


@pytest.mark.parametrize('name', NAMES)
def test_a_config_has_the_schedule_of_its_data(name):
    data = data_of(name)
    schedule = 'sgd_400e'
    if data == 'places-lt':
        schedule = 'sgd_30e'
    elif data.startswith('cifar'):
        schedule = 'cifar_400e'
    cfg = Config.fromfile(CONFIGS / f'_base_/schedules/{schedule}.py')
    assert load(name).param_scheduler == cfg.param_scheduler


SETTING_OF = {
    'alpha': lambda cfg: cfg.model.head.loss.alpha,
    'temperature': lambda cfg: cfg.model.head.loss.temperature,
    'weight of the contrast': lambda cfg: cfg.model.head.loss.supcon_weight,
    'learning rate': lambda cfg: cfg.optim_wrapper.optimizer.lr,
    'batch': lambda cfg: cfg.auto_scale_lr.base_batch_size,
    'label smoothing': lambda cfg: cfg.model.head.loss.label_smoothing,
}


def documented():
    """What the table of differences says that a config holds."""
    text = (CONFIGS.parent / 'docs/differences.md').read_text(encoding='utf-8')
    for line in text.splitlines():
        row = [cell.strip() for cell in line.strip('|').split('|')]
        if len(row) != 5 or row[1] not in SETTING_OF:
            continue
        pattern = row[0].strip('`')
        found = re.search(r'\{(.*)\}', pattern)
        for part in found[1].split(',') if found else ['']:
            name = re.sub(r'\{.*\}', part, pattern)
            yield pytest.param(*(name, row[1], float(row[4])), id=name)


@pytest.mark.parametrize(('name', 'setting', 'value'), documented())
def test_a_config_holds_what_the_docs_say(name, setting, value):
    assert SETTING_OF[setting](load(name)) == value


def test_the_docs_name_only_settings_that_there_are():
    assert len(list(documented())) == 26
