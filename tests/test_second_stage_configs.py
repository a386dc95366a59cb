"""Promises of the configs of cRT, LWS and MiSLAS, of both stages."""

import copy
import functools
import math
import re
import uuid
from typing import NamedTuple

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS, init_default_scope
from mmengine.runner import Runner
from mmpretrain.registry import MODELS
from support import small_cls
from support.released_settings import BACKBONES
from support.small_cls import (
    CONFIGS,
    believe,
    pipeline,
    small_options,
    write,
)

load = functools.cache(small_cls.load)
SLOW = pytest.mark.slow
KINDS = ('decoupling-stage1', 'crt', 'lws', 'mislas-stage1', 'mislas-stage2')
NAMES = sorted(
    f'compared/{path.stem}'
    for path in (CONFIGS / 'compared').glob('*.py')
    if path.stem.partition('_')[0] in KINDS
    and 'tiny-imagenet100' not in path.stem
)
SECOND = [x for x in NAMES if re.match('compared/(crt|lws|mislas-stage2)', x)]


class Stage(NamedTuple):
    """Settings of a stage, typed from the releases and the papers."""

    batch: int
    lr: float
    decay: float
    epochs: int
    view: str


# Of all kinds on a system.
INAT, PLACES = 'resnet50_inaturalist2018', 'resnet152_places-lt'
LT, CIFAR = 'resnet50_imagenet-lt', 'resnet32_cifar100-lt-if{}'
CROP, JITTER, FLIP = 'cifar_crop-flip', 'jitter_224', 'crop-flip_224'
CUT, RANDAUG = 'cifar_autoaug-cutout', 'randaug_n2-m10_224'


def decoupling():
    """The settings of Decoupling by the name of the config."""
    epochs = {'decoupling-stage1': 90, 'crt': 10, 'lws': 5}
    for kind, length in epochs.items():
        for net in ('resnet50', 'resnext50-32x4d', 'resnext101-32x4d'):
            yield (
                f'{kind}_{net}_imagenet-lt',
                Stage(512, 0.2, 5e-4, length, JITTER),
            )
        inat = 30 if kind == 'crt' else length
        yield f'{kind}_{INAT}', Stage(512, 0.2, 1e-4, inat, FLIP)
        places = 30 if kind == 'decoupling-stage1' else length
        yield f'{kind}_{PLACES}', Stage(256, 0.1, 5e-4, places, JITTER)
        for factor in (100, 50, 10):
            name = f'{kind}_{CIFAR.format(factor)}'
            if kind != 'crt':
                yield name, Stage(512, 0.2, 1e-4, length, CROP)
            if kind != 'decoupling-stage1':
                yield f'{name}_papers', Stage(128, 0.05, 5e-4, length, CUT)
        papers = (0.02, 400) if kind == 'decoupling-stage1' else (0.05, length)
        yield (
            f'{kind}_{LT}_papers',
            Stage(128, papers[0], 5e-4, papers[1], RANDAUG),
        )


def mislas():
    """The settings of MiSLAS by the name of the config."""
    for stage in (1, 2):
        kind = f'mislas-stage{stage}'
        for name, decay, epochs in (
            *((LT, 5e-4, 180), (INAT, 1e-4, 200), (PLACES, 5e-4, 90)),
        ):
            epochs = 10 if stage == 2 else epochs
            yield f'{kind}_{name}', Stage(256, 0.1, decay, epochs, JITTER)
        for factor in (100, 50, 10):
            name = f'{kind}_{CIFAR.format(factor)}'
            epochs = 10 if stage == 2 else 200
            yield name, Stage(128, 0.1, 2e-4, epochs, CROP)
            papers = (0.1, 10) if stage == 2 else (0.05, 400)
            yield (
                f'{name}_papers',
                Stage(128, papers[0], 5e-4, papers[1], CUT),
            )
        papers = (0.05, 10) if stage == 2 else (0.02, 400)
        yield (
            f'{kind}_{LT}_papers',
            Stage(128, papers[0], 5e-4, papers[1], RANDAUG),
        )


STAGES = {**dict(decoupling()), **dict(mislas())}
# Smoothing of head and tail, and the rate of the classifier over that of the
# scale.
SMOOTHING = {
    'cifar100-lt-if100': (0.4, 0.1, 0.2),
    'cifar100-lt-if50': (0.3, 0, 0.1),
    'cifar100-lt-if10': (0.2, 0, 0.1),
    'imagenet-lt': (0.3, 0, 0.05),
    'inaturalist2018': (0.3, 0, 0.05),
    'places-lt': (0.4, 0.1, 0.05),
}


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmpretrain')


def test_every_promised_config_is_there():
    assert {x.partition('/')[2] for x in NAMES} == set(STAGES)
    assert len(NAMES) == 50


@pytest.mark.parametrize('name', NAMES)
def test_settings_are_those_of_the_release_or_of_the_papers(name):
    cfg = load(name)
    kind, net, data = name.partition('/')[2].split('_')[:3]
    stage = STAGES[name.partition('/')[2]]
    optimizer = cfg.optim_wrapper.optimizer
    found = Stage(
        cfg.auto_scale_lr.base_batch_size,
        optimizer.lr,
        optimizer.weight_decay,
        cfg.train_cfg.max_epochs,
        stage.view,
    )
    assert found == stage
    loader = cfg.train_dataloader
    gpus = stage.batch / loader.batch_size
    assert gpus in (1, 4) and loader.drop_last
    view = pipeline(stage.view)
    assert loader.dataset.pipeline[-1 - len(view) : -1] == view
    mixup = cfg.data_preprocessor.get('batch_augments')
    if kind == 'mislas-stage1':
        alpha = 1.0 if 'cifar' in data else 0.2
        assert mixup == dict(augments=dict(type='Mixup', alpha=alpha))
    else:
        assert mixup is None
    if 'cifar' in data:
        assert data.endswith(f'-if{loader.dataset.factor}')
        assert cfg.val_evaluator.train_dataset.factor == loader.dataset.factor
    # What is reported must choose nothing.
    is_chosen = data in ('imagenet-lt', 'places-lt')
    assert ('save_best' in cfg.default_hooks.checkpoint) == is_chosen


@pytest.mark.parametrize('name', SECOND)
def test_a_second_stage_begins_where_its_first_ends(name):
    cfg = load(name)
    stem, epoch = re.fullmatch(
        r'work_dirs/(.+)/epoch_(\d+)\.pth', cfg.model.pretrained
    ).groups()
    kind = 'compared' if stem.startswith(KINDS) else 'baselines'
    first = load(f'{kind}/{stem}')
    assert first.train_cfg.max_epochs == int(epoch)
    assert first.train_dataloader.dataset == cfg.train_dataloader.dataset
    backbones = [dict(x.model.backbone, init_cfg=None) for x in (first, cfg)]
    assert backbones[0] == backbones[1]
    sampler = dict(type='mmpaco.ClassPowerSampler', power=0, in_a_row=4)
    assert cfg.train_dataloader.sampler == sampler
    # No weights of others are fetched to be overwritten.
    assert cfg.model.backbone.get('init_cfg') is None


def test_another_first_stage_can_be_named(monkeypatch):
    monkeypatch.setenv('STAGE1', 'other.pth')
    for name in SECOND[::8]:
        assert small_cls.load(name).model.pretrained == 'other.pth'


@pytest.mark.usefixtures('no_init')
@pytest.mark.parametrize('name', NAMES)
def test_what_is_trained(name):
    cfg = load(name)
    kind, net, data = name.partition('/')[2].split('_')[:3]
    model = MODELS.build({**cfg.model, 'pretrained': None}).train()
    size = sum(x.numel() for x in model.backbone.parameters())
    assert size == BACKBONES[net]
    assert model.head.num_classes == cfg.data_preprocessor.num_classes
    trained = {key for key, x in model.named_parameters() if x.requires_grad}
    norms = [
        (key, module)
        for key, module in model.named_modules()
        if isinstance(module, torch.nn.BatchNorm2d)
    ]
    moving = {key for key, module in norms if module.training}
    of_last = {key for key, _ in norms if 'layer4.2.' in key}
    if (kind, data) in (
        ('mislas-stage1', 'places-lt'),
        ('mislas-stage2', 'places-lt'),
    ):
        assert moving == of_last
    else:
        assert moving == {key for key, _ in norms}
    fc = {'head.fc.weight', 'head.fc.bias'}
    if name in SECOND:
        scale = {'head.scale'}
        expected = dict(crt=fc, lws=scale).get(kind, fc | scale)
        assert trained == expected
        assert model.fresh_head == (kind == 'crt')
    elif kind == 'mislas-stage1' and data == 'places-lt':
        blocks = {x for x in trained if x.startswith('backbone.layer4.2.')}
        assert len(blocks) == 9 and trained == blocks | fc
    elif data != 'places-lt':
        assert trained == {key for key, _ in model.named_parameters()}
    if kind != 'mislas-stage2':
        assert type(model.head.loss_module).__name__ == 'CrossEntropyLoss'
        return
    loss = model.head.loss_module
    head, tail, rate = SMOOTHING[data]
    assert (loss.head, loss.tail, loss.shape) == (head, tail, 'concave')
    assert loss.num_classes == model.head.num_classes
    assert cfg.custom_hooks == [dict(type='mmpaco.ClassPriorHook')]
    optimizer = build_optim_wrapper(model, cfg.optim_wrapper)
    rates = {
        id(x): (group['lr'], group['weight_decay'])
        for group in optimizer.param_groups
        for x in group['params']
    }
    base = cfg.optim_wrapper.optimizer
    decay = base.weight_decay
    assert rates[id(model.head.scale)] == (base.lr, decay)
    for weight in model.head.fc.parameters():
        assert rates[id(weight)] == (pytest.approx(base.lr * rate), decay)


def rates(cfg):
    """The rates of two groups in each epoch, the second at a fifth."""
    weights = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
    lr = cfg.optim_wrapper.optimizer.lr
    optimizer = torch.optim.SGD(
        [dict(params=[weights[0]], lr=lr / 5), dict(params=[weights[1]])], lr
    )
    schedulers = [
        PARAM_SCHEDULERS.build(
            copy.deepcopy(x), default_args=dict(optimizer=optimizer)
        )
        for x in cfg.param_scheduler
    ]
    for _ in range(cfg.train_cfg.max_epochs):
        yield [group['lr'] for group in optimizer.param_groups]
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()


def test_rates_of_mislas():
    found = list(rates(load(f'compared/mislas-stage1_{CIFAR.format(100)}')))
    for epoch, (_, rate) in enumerate(found):
        expected = 0.1 if epoch < 160 else 0.01 if epoch < 180 else 0.001
        if epoch < 5:
            expected = 0.02 * (epoch + 1)
        assert math.isclose(rate, expected), epoch
    found = list(rates(load(f'compared/mislas-stage2_{CIFAR.format(100)}')))
    assert len(found) == 10
    for epoch, expected in {
        1: (0.02, 0.1),
        2: (0.01951056516, 0.09755282581),
        6: (0.01, 0.05),
        10: (0.0004894348373, 0.002447174186),
    }.items():
        assert found[epoch - 1] == pytest.approx(expected, rel=1e-9)


def test_all_but_mislas_on_cifar_follow_a_cosine_to_zero():
    for name in NAMES:
        if STAGES[name[len('compared/') :]].epochs == 400:
            continue
        if re.search('mislas-stage1.*cifar', name):
            continue
        cfg = load(name)
        for epoch, (_, rate) in enumerate(rates(cfg)):
            turn = math.pi * epoch / cfg.train_cfg.max_epochs
            base = cfg.optim_wrapper.optimizer.lr
            expected = base * (1 + math.cos(turn)) / 2
            assert math.isclose(rate, expected), (name, epoch)


def states(name, root, work_dir, stage1=None):
    """Train a config for two iterations; give what it began and ended with."""
    cfg = small_cls.load(name)
    options = small_options(name, str(root))
    options['model.pretrained'] = stage1
    cfg.merge_from_dict(options)
    # What is not asked for here takes most of the time.
    for split in ('val', 'test'):
        for part in ('dataloader', 'evaluator', 'cfg'):
            cfg[f'{split}_{part}'] = None
    cfg.default_hooks.checkpoint.pop('save_best', None)
    cfg.work_dir = str(work_dir)
    cfg.experiment_name = uuid.uuid4().hex
    cfg.visualizer.name = uuid.uuid4().hex
    runner = Runner.from_cfg(cfg)
    runner.model.init_weights()
    before = copy.deepcopy(runner.model.state_dict())
    runner.train()
    return before, runner.model.state_dict(), runner


@pytest.fixture(scope='module')
def cifar(tmp_path_factory):
    root = tmp_path_factory.mktemp('cifar')
    write(root, 'cifar100')
    return root


@pytest.mark.parametrize(
    ('first', 'second'),
    [
        ('compared/mislas-stage1_{}', 'compared/mislas-stage2_{}'),
        *(
            pytest.param(f'{first}_{{}}', f'compared/{second}', marks=SLOW)
            for first, second in (
                ('compared/decoupling-stage1', 'lws_{}'),
                ('baselines/cross-entropy', 'crt_{}_papers'),
                ('baselines/cross-entropy', 'lws_{}_papers'),
            )
        ),
    ],
)
def test_which_weights_and_statistics_move(
    first, second, cifar, tmp_path, monkeypatch
):
    """In real runs of the configs for CIFAR, the second from the first."""
    believe(monkeypatch, 'cifar100-lt')
    data = CIFAR.format(100)
    _, start, _ = states(first.format(data), cifar, tmp_path / 'first')
    path = str(tmp_path / 'first/epoch_1.pth')
    before, after, runner = states(
        second.format(data), cifar, tmp_path / 'second', path
    )
    fresh = {'head.fc.weight'} if '/crt' in second else set()
    for key, value in before.items():
        same = torch.equal(value, start.get(key, value))
        assert same == (key not in fresh) or key == 'head.fc.bias', key
    moved = {
        key for key, x in after.items() if not torch.equal(x, before[key])
    }
    weights = runner.model.named_parameters()
    trained = {key for key, x in weights if x.requires_grad}
    statistics = {
        f'backbone.{key}' for key, _ in runner.model.backbone.named_buffers()
    }
    assert len(statistics) > 90
    prior = {key for key in moved if 'prior' in key}
    assert moved - prior == trained | statistics
    sampler = runner.train_dataloader.sampler
    assert type(sampler).__name__ == 'ClassPowerSampler'


def test_the_last_block_of_mislas_on_places_is_new(tmp_path):
    """The trunk is that of the checkpoint, and neither of them moves."""
    name = f'compared/mislas-stage1_{PLACES}'
    backbone = small_cls.load(name).model.backbone
    backbone.update(depth=50, base_channels=4, stem_channels=4)
    plain = {
        key: value
        for key, value in backbone.items()
        if key not in ('fresh_blocks', 'init_cfg')
    }
    weights = MODELS.build(plain)
    for value in weights.state_dict().values():
        value.fill_(2)
    path = tmp_path / 'imagenet.pth'
    torch.save(weights.state_dict(), path)
    backbone.init_cfg.checkpoint = str(path)
    network = MODELS.build(backbone).train()
    network.init_weights()
    for key, value in network.state_dict().items():
        assert bool((value == 2).all()) != key.startswith('layer4.2.'), key
    last = network.layer4[2]
    assert last.norm1.weight.unique().tolist() == [1]
    assert last.norm1.running_mean.unique().tolist() == [0]
    expected = (2 / (last.conv2.out_channels * 9)) ** 0.5
    assert last.conv2.weight.std().item() == pytest.approx(expected, rel=0.2)
    before = copy.deepcopy(network.state_dict())
    network(torch.randn(2, 3, 64, 64))[0].sum().backward()
    moved = {
        key
        for key, value in network.state_dict().items()
        if not torch.equal(value, before[key])
    }
    assert moved and all(key.startswith('layer4.2.') for key in moved)
    assert not network.eval().layer4[2].norm1.training
