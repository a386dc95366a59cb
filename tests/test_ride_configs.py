"""Promises of RIDE's configs, as released and in the papers' setting."""

from typing import NamedTuple

import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmpretrain.registry import MODELS
from support.small_cls import COMPARED, data_of, load, pipeline

from mmpaco.registry import TRANSFORMS


class Setting(NamedTuple):
    """What release and papers say of a system."""

    batch: int
    lr: float
    decay: float
    epochs: int
    reweighting: int
    view: str
    diversity: float
    spread: float


JITTER, FLIP = 'jitter_224', 'crop-flip_224'
CUT, RANDAUG = 'cifar_autoaug-cutout', 'randaug_n2-m10_224'
TURN = 'cifar_crop-flip-rotate'
LT = Setting(256, 0.1, 2e-4, 100, 80, JITTER, -0.2, 0.02)
LT_PAPERS = Setting(128, 0.02, 5e-4, 400, 320, RANDAUG, -0.2, 0.02)
RELEASED = {
    'resnet32_cifar100-lt-if100': Setting(
        *(128, 0.1, 5e-4, 200, 160, TURN, -0.45, 0.05)
    ),
    'resnet50_imagenet-lt': LT,
    'resnext50-32x4d_imagenet-lt': LT,
    'resnet50_inaturalist2018': Setting(
        *(512, 0.2, 2e-4, 100, 80, FLIP, -0.2, 0.015)
    ),
}
PAPERS = {
    'resnet32_cifar100-lt-if100': Setting(
        *(128, 0.05, 5e-4, 400, 320, CUT, -0.45, 0.05)
    ),
    'resnet50_imagenet-lt': LT_PAPERS,
    'resnext50-32x4d_imagenet-lt': LT_PAPERS,
    'resnet50_inaturalist2018': Setting(
        *(128, 0.02, 1e-4, 400, 320, RANDAUG, -0.2, 0.015)
    ),
}
SETTINGS = {
    **{f'compared/ride_{name}': x for name, x in RELEASED.items()},
    **{f'compared/ride_{name}_papers': x for name, x in PAPERS.items()},
}
CLASSES = {'cifar100-lt': 100, 'imagenet-lt': 1000, 'inaturalist2018': 8142}


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmpretrain')


def test_every_promised_config_is_there():
    assert {x for x in COMPARED if '/ride_' in x} == set(SETTINGS)


@pytest.mark.parametrize('name', SETTINGS)
def test_settings_are_those_of_release_and_papers(name):
    cfg, setting = load(name), SETTINGS[name]
    assert cfg.auto_scale_lr.base_batch_size == setting.batch
    assert cfg.train_cfg.max_epochs == setting.epochs
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.momentum) == ('SGD', 0.9)
    assert (optimizer.lr, optimizer.weight_decay) == setting[1:3]
    assert optimizer.get('nesterov', False) == ('_papers' not in name)
    view = pipeline(setting.view)
    steps = cfg.train_dataloader.dataset.pipeline
    assert steps[-1 - len(view) : -1] == view
    hooks = {x.type: x for x in cfg.custom_hooks}
    assert 'mmpaco.ClassPriorHook' in hooks
    first = hooks['mmpaco.DeferredReweightingHook'].epoch
    assert first == setting.reweighting
    # What is reported chooses nothing.
    is_chosen = 'save_best' in cfg.default_hooks.checkpoint
    assert is_chosen == (data_of(name) == 'imagenet-lt')


def size(module):
    return sum(x.numel() for x in module.parameters())


@pytest.mark.usefixtures('no_init')
@pytest.mark.parametrize('name', SETTINGS)
def test_networks_heads_and_losses(name):
    cfg, setting = load(name), SETTINGS[name]
    classes = CLASSES[data_of(name)]
    model = MODELS.build(cfg.model)
    net, head, loss = model.backbone, model.head, model.head.loss_module
    assert net.num_experts == head.num_experts == 3
    assert head.num_classes == loss.num_classes == classes
    assert cfg.data_preprocessor.num_classes == classes
    assert head.in_channels == net.feat_dim
    assert (loss.max_margin, loss.scale, loss.beta) == (0.5, 30, 0.9999)
    assert (loss.diversity, loss.spread) == setting[-2:]
    if classes == 100:
        assert size(model) == 783_856
        return
    assert net.widths == (192, 384) and net.feat_dim == 1536
    groups = {x.conv2.groups for x in net.layer4.experts[2]}
    assert groups == {32 if 'resnext50' in name else 1}
    # No block starts as the identity.
    assert not net.zero_init_residual


@pytest.mark.usefixtures('no_init')
def test_all_parameters_decay():
    cfg = load('compared/ride_resnet32_cifar100-lt-if100')
    model = MODELS.build(cfg.model)
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    (group,) = wrapper.param_groups
    assert group['weight_decay'] == 5e-4
    assert len(group['params']) == len(list(model.parameters()))


@pytest.mark.usefixtures('no_init')
@pytest.mark.parametrize(
    'experts, widths, channels, expected',
    [(2, (24, 48), 48, 530_512), (1, None, 64, 469_904)],
)
def test_fewer_experts_by_options(experts, widths, channels, expected):
    cfg = load('compared/ride_resnet32_cifar100-lt-if100')
    cfg.merge_from_dict(
        {
            'model.backbone.num_experts': experts,
            'model.head.num_experts': experts,
            'model.backbone.widths': widths,
            'model.head.in_channels': channels,
        }
    )
    model = MODELS.build(cfg.model)
    assert size(model) == expected
    assert model(torch.randn(2, 3, 32, 32)).shape == (2, 100)


def test_cifar_images_are_turned_and_keep_size_and_type():
    steps = Compose([TRANSFORMS.build(x) for x in pipeline(TURN)])
    white = np.full((32, 32, 3), 255, np.uint8)
    dark = []
    for _ in range(40):
        image = steps(dict(img=white))['img']
        assert image.shape == (32, 32, 3) and image.dtype == np.uint8
        # Both the padding and the corners are black.
        assert set(np.unique(image)) <= {0, 255}
        dark.append((image[..., 0] == 0).mean())
        rows = (image[..., 0] == 0).all(1)
        columns = (image[..., 0] == 0).all(0)
        assert rows.sum() <= 4 and columns.sum() <= 4
    assert len(set(dark)) > 20
