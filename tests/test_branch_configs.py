"""Promises of the configs of ResLT and De-confound-TDE."""

import functools
import math
from typing import NamedTuple, Optional

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmpretrain.registry import MODELS
from support import small_cls
from support.released_settings import BACKBONES, TWO_BRANCHES
from support.schedules import rates
from support.small_cls import COMPARED, data_of, parts_of, pipeline

load = functools.cache(small_cls.load)
NAMES = [x for x in COMPARED if x.startswith(('compared/reslt', 'compared/t'))]
CROP, JITTER, FLIP = 'cifar_crop-flip', 'jitter_224', 'crop-flip_224'
CUT, RANDAUG = 'cifar_autoaug-cutout', 'randaug_n2-m10_224'


class Setting(NamedTuple):
    """Typed from the releases and the papers."""

    batch: int
    lr: float
    decay: float
    epochs: int
    view: str
    nesterov: bool = False


def settings():
    """The settings by the name of the config."""
    for factor in (100, 50, 10):
        data = f'resnet32_cifar100-lt-if{factor}'
        yield f'reslt_{data}', Setting(128, 0.1, 5e-4, 200, CROP, True)
        yield f'tde_{data}', Setting(256, 0.2, 5e-4, 200, CROP)
        for method in ('reslt', 'tde'):
            yield (
                f'{method}_{data}_papers',
                Setting(128, 0.05, 5e-4, 400, CUT),
            )
    wide = 'resnext50-32x4d_imagenet-lt'
    yield f'reslt_{wide}', Setting(256, 0.1, 5e-4, 180, JITTER)
    deep = 'reslt_resnext101-32x4d_imagenet-lt'
    yield deep, Setting(128, 0.05, 5e-4, 180, JITTER)
    yield f'tde_{wide}', Setting(512, 0.2, 5e-4, 90, JITTER)
    inat = 'reslt_resnet50_inaturalist2018'
    yield inat, Setting(256, 0.1, 1e-4, 200, FLIP)
    for method in ('reslt', 'tde'):
        yield (
            f'{method}_{wide}_papers',
            Setting(128, 0.02, 5e-4, 400, RANDAUG),
        )
    yield f'{inat}_papers', Setting(128, 0.02, 1e-4, 400, RANDAUG)


SETTINGS = dict(settings())


class Branches(NamedTuple):
    """What ResLT has for a data set."""

    beta: float
    groups: list[int]
    branch: str = 'norm'
    test_tau: Optional[float] = None
    sum_eps: float = 0.0


BRANCHES = {
    'cifar100-lt-if100': Branches(0.995, [100, 65, 30]),
    'cifar100-lt-if50': Branches(0.99, [100, 65, 30]),
    'cifar100-lt-if10': Branches(0.72, [100, 65, 30]),
    'imagenet-lt': Branches(0.99, [1000, 825, 220], 'conv', 0.7, 1e-7),
    'inaturalist2018': Branches(0.85, [8142, 6600], 'conv', 0.0),
}


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmpretrain')


def test_every_promised_config_is_there():
    assert {x.partition('/')[2] for x in NAMES} == set(SETTINGS)


@pytest.mark.parametrize('name', NAMES)
def test_settings_are_those_of_the_release_or_of_the_papers(name):
    cfg, expected = load(name), SETTINGS[name.partition('/')[2]]
    optimizer = cfg.optim_wrapper.optimizer
    found = Setting(
        cfg.auto_scale_lr.base_batch_size,
        optimizer.lr,
        optimizer.weight_decay,
        cfg.train_cfg.max_epochs,
        expected.view,
        optimizer.get('nesterov', False),
    )
    assert found == expected
    assert optimizer.momentum == 0.9
    loader = cfg.train_dataloader
    is_cifar = data_of(name) == 'cifar100-lt'
    gpus = 1 if is_cifar else 4
    assert loader.batch_size * gpus == expected.batch and loader.drop_last
    view = pipeline(expected.view)
    assert loader.dataset.pipeline[-1 - len(view) : -1] == view
    if is_cifar:
        assert parts_of(name)[1].endswith(f'-if{loader.dataset.factor}')
        assert cfg.val_evaluator.train_dataset.factor == loader.dataset.factor
    # What is reported must choose nothing.
    is_chosen = data_of(name) == 'imagenet-lt'
    assert ('save_best' in cfg.default_hooks.checkpoint) == is_chosen


@pytest.mark.usefixtures('no_init')
@pytest.mark.parametrize('name', NAMES)
def test_heads_and_losses(name):
    cfg, (net, data) = load(name), parts_of(name)
    model = MODELS.build(cfg.model)
    head, loss = model.head, model.head.loss_module
    size = sum(x.numel() for x in model.backbone.parameters())
    is_doubled = name.startswith('compared/tde_resnet32') and (
        'papers' not in name
    )
    assert size == (TWO_BRANCHES if is_doubled else BACKBONES)[net]
    if is_doubled:
        assert head.in_channels == 128 and model.backbone.joined
    classes = cfg.data_preprocessor.num_classes
    assert head.num_classes == classes
    (hook,) = cfg.custom_hooks
    if '/tde' in name:
        assert hook == dict(type='mmpaco.CausalNormHook')
        assert type(loss).__name__ == 'CrossEntropyLoss'
        assert (head.fc.num_heads, head.fc.scale) == (2, 16)
        assert head.fc.gamma == 1 / 32 and head.mean.momentum == 0.9
        is_cifar = 'cifar' in data
        assert head.alpha == (1.5 if is_cifar else 3.0)
        lr = cfg.optim_wrapper.optimizer.lr
        expected = None if is_cifar else pytest.approx(lr / 10)
        assert head.mean.full_rate == expected
    else:
        assert hook == dict(type='mmpaco.ClassPriorHook')
        expected = BRANCHES[data]
        found = Branches(
            loss.beta,
            list(loss.sizes),
            head.branch,
            head.test_tau,
            loss.sum_eps,
        )
        assert found == expected
        assert loss.num_classes == classes and model.neck is None
        assert head.test_pool_first == (expected.branch == 'conv')
    # Everything is trained, and decays alike.
    (group,) = build_optim_wrapper(model, cfg.optim_wrapper).param_groups
    assert len(group['params']) == len(list(model.parameters()))


def rise(epoch):
    """From a third of the rate up in the first five epochs, from 0."""
    a = min((epoch + 1) / 5, 1)
    return (1 - a) / 3 + a


def of_reslt_cifar(epoch):
    return 0.1 * rise(epoch) * 0.1 ** ((epoch >= 160) + (epoch >= 180))


def of_tde_cifar(epoch):
    return 0.2 * rise(epoch) * 0.01 ** ((epoch >= 119) + (epoch >= 159))


def of_reslt_imagenet(epoch):
    if epoch < 5:
        return (epoch + 1) / 5
    return (1 + math.cos(math.pi * (epoch - 4) / 176)) / 2


def cosine(epochs):
    return lambda epoch: (1 + math.cos(math.pi * epoch / epochs)) / 2


# Rates of each epoch, and printed ones of some, counted from 1.
SCHEDULES = {
    'reslt_resnet32_cifar100-lt-if50': (
        of_reslt_cifar,
        {1: 0.04666666667, 2: 0.06, 5: 0.1, 160: 0.1, 161: 0.01, 181: 0.001},
    ),
    'tde_resnet32_cifar100-lt-if10': (
        of_tde_cifar,
        {
            **{1: 0.09333333333, 2: 0.12, 3: 0.1466666667, 4: 0.1733333333},
            **{5: 0.2, 119: 0.2, 120: 0.002, 159: 0.002, 160: 2e-5},
        },
    ),
    'reslt_resnext50-32x4d_imagenet-lt': (
        lambda epoch: 0.1 * of_reslt_imagenet(epoch),
        {
            **{1: 0.02, 5: 0.1, 6: 0.09999203469, 91: 0.051784618},
            180: 7.965361304e-06,
        },
    ),
    'reslt_resnext101-32x4d_imagenet-lt': (
        lambda epoch: 0.05 * of_reslt_imagenet(epoch),
        {},
    ),
    'reslt_resnet50_inaturalist2018': (
        lambda epoch: 0.1 * cosine(200)(epoch),
        {1: 0.1, 101: 0.05},
    ),
    'tde_resnext50-32x4d_imagenet-lt': (
        lambda epoch: 0.2 * cosine(90)(epoch),
        {1: 0.2, 46: 0.1},
    ),
}


@pytest.mark.parametrize('name', SCHEDULES)
def test_learning_rate_of_every_epoch(name):
    rate, printed = SCHEDULES[name]
    found = rates(load(f'compared/{name}'))
    for epoch, value in enumerate(found):
        assert value == pytest.approx(rate(epoch), rel=1e-8), epoch
    for epoch, value in printed.items():
        # ResLT's release has its own pi, of eight digits.
        assert found[epoch - 1] == pytest.approx(value, rel=1e-5), epoch


def test_the_groups_of_cifar_are_the_classes_of_the_release():
    """35 to 99 and 70 to 99, by the images that there are at each factor."""
    for factor in (100, 50, 10):
        cfg = load(f'compared/reslt_resnet32_cifar100-lt-if{factor}')
        loss = MODELS.build(cfg.model.head.loss)
        share = factor ** -(torch.arange(100) / 99)
        loss.prior.set_class_counts((500 * share).int())
        of = loss.members()
        for row, first in zip(of, (0, 35, 70)):
            assert row.nonzero().flatten().tolist() == list(range(first, 100))
