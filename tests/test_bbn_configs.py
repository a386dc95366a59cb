"""Promises of BBN's configs, as released and in the papers' setting."""

from typing import NamedTuple, Optional

import pytest
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmpretrain.registry import MODELS
from support.released_settings import CIFAR, IMAGENET, TWO_BRANCHES
from support.released_settings import DATA as FACTS
from support.schedules import rates
from support.small_cls import COMPARED, data_of, load, parts_of, pipeline


class Setting(NamedTuple):
    """What release and papers say of a system."""

    batch: int
    lr: float
    decay: float
    epochs: int
    nesterov: bool
    view: str
    constants: tuple
    # What the branches are mixed by.
    mixed: Optional[int] = None


CROP, FLIP = 'cifar_crop-flip', 'crop-flip_224'
CUT, RANDAUG = 'cifar_autoaug-cutout', 'randaug_n2-m10_224'
INAT = FACTS['inaturalist2018'][1]
SETTINGS = {
    'compared/bbn_resnet50_inaturalist2018': Setting(
        *(128, 0.05, 1e-4, 180, True, FLIP, IMAGENET, 200)
    ),
    'compared/bbn_resnet50_inaturalist2018_papers': Setting(
        *(128, 0.02, 1e-4, 400, False, RANDAUG, INAT)
    ),
}
for factor in (100, 50, 10):
    name = f'compared/bbn_resnet32_cifar100-lt-if{factor}'
    SETTINGS[name] = Setting(128, 0.1, 2e-4, 200, True, CROP, CIFAR)
    SETTINGS[f'{name}_papers'] = Setting(
        *(128, 0.05, 5e-4, 400, False, CUT, CIFAR)
    )


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmpretrain')


def test_every_promised_config_is_there():
    assert {x for x in COMPARED if '/bbn_' in x} == set(SETTINGS)


@pytest.mark.parametrize('name', SETTINGS)
def test_settings_are_those_of_release_and_papers(name):
    cfg, setting = load(name), SETTINGS[name]
    loader, optimizer = cfg.train_dataloader, cfg.optim_wrapper.optimizer
    is_cifar = data_of(name) == 'cifar100-lt'
    assert loader.batch_size * (1 if is_cifar else 4) == setting.batch
    assert cfg.auto_scale_lr.base_batch_size == setting.batch
    assert (optimizer.type, optimizer.momentum) == ('SGD', 0.9)
    assert (optimizer.lr, optimizer.weight_decay) == setting[1:3]
    assert optimizer.get('nesterov', False) == setting.nesterov
    assert cfg.train_cfg.max_epochs == setting.epochs and loader.drop_last
    assert loader.sampler == dict(type='mmpaco.PairSampler')
    assert loader.dataset.type == 'mmpaco.PairedDataset'
    view = pipeline(setting.view)
    assert loader.dataset.dataset.pipeline[-1 - len(view) : -1] == view
    if is_cifar:
        factor = loader.dataset.dataset.factor
        assert parts_of(name)[1].endswith(f'-if{factor}')
        assert cfg.val_evaluator.train_dataset.factor == factor
    prep = cfg.data_preprocessor
    assert prep.type == 'mmpaco.MultiViewDataPreprocessor'
    for found, expected in zip((prep.mean, prep.std), setting.constants):
        assert found == pytest.approx([255 * x for x in expected])
    (hook,) = cfg.custom_hooks
    assert hook.type == 'mmpaco.BBNProgressHook'
    assert hook.get('epochs') == setting.mixed
    # What is reported chooses nothing.
    assert 'save_best' not in cfg.default_hooks.checkpoint


@pytest.mark.usefixtures('no_init')
@pytest.mark.parametrize('name', SETTINGS)
def test_networks_are_those_of_the_release(name):
    cfg, (net, _) = load(name), parts_of(name)
    model = MODELS.build(cfg.model)
    size = sum(x.numel() for x in model.backbone.parameters())
    assert size == TWO_BRANCHES[net]
    stage = getattr(model.backbone, model.backbone.expert_layers[-1])
    assert len(stage.shared) == (4 if net == 'resnet32' else 2)
    classes = cfg.data_preprocessor.num_classes
    channels = 128 if net == 'resnet32' else 4096
    assert model.head.fc.weight.shape == (classes, channels)
    assert model.head.num_classes == FACTS[data_of(name)][0] == classes
    (group,) = build_optim_wrapper(model, cfg.optim_wrapper).param_groups
    assert len(group['params']) == len(list(model.parameters()))


def of_cifar(epoch):
    rise = min((1 + 2 * epoch / 5) / 3, 1)
    return 0.1 * rise * 0.01 ** ((epoch >= 120) + (epoch >= 160))


def of_inaturalist(epoch):
    return 0.05 * 0.1 ** ((epoch >= 120) + (epoch >= 160))


# Rates of each epoch, and those of some, counted from 1, in the release.
SCHEDULES = {
    'compared/bbn_resnet32_cifar100-lt-if50': (
        of_cifar,
        {1: 0.1 / 3, 2: 0.14 / 3, 6: 0.1, 120: 0.1, 121: 1e-3, 161: 1e-5},
    ),
    'compared/bbn_resnet50_inaturalist2018': (
        of_inaturalist,
        {1: 0.05, 120: 0.05, 121: 0.005, 160: 0.005, 161: 5e-4},
    ),
}


@pytest.mark.parametrize('name', SCHEDULES)
def test_learning_rate_of_every_epoch(name):
    rate, told = SCHEDULES[name]
    found = rates(load(name))
    assert found == pytest.approx(
        [rate(epoch) for epoch in range(len(found))], rel=1e-8
    )
    for epoch, value in told.items():
        assert found[epoch - 1] == pytest.approx(value, rel=1e-8), epoch
