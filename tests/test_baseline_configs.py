"""Promises of the configs for the papers' classification baselines."""

import pytest
import torch

pytest.importorskip('mmpretrain')

from mmengine.registry import init_default_scope  # noqa: E402
from small_cls import (  # noqa: E402
    NAMES,
    build,
    data_of,
    load,
    pipeline,
    views_of,
)

BASELINES = [name for name in NAMES if name.startswith('baselines/')]


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmpretrain')


def test_every_promised_baseline_is_there():
    promised = {
        f'{method}_{system}'
        for method in (
            *('cross-entropy', 'balanced-softmax'),
            *('supcon-stage1', 'supcon-stage2'),
            *('multi-task-ce', 'multi-task-ce-rw'),
            *('multi-task-balanced-softmax', 'multi-task-balanced-softmax-rw'),
        )
        for system in ('resnet50_imagenet-lt', 'resnet32_cifar100-lt-if100')
    }
    promised |= {
        *(
            f'multi-task-balanced-softmax_resnext{x}-32x4d_imagenet-lt'
            for x in (50, 101)
        ),
        *(
            f'{method}_resnet32_cifar100-lt-if{factor}'
            for method in ('cross-entropy', 'balanced-softmax')
            for factor in (50, 10)
        ),
        'multi-task-ce_resnet50_cifar100',
    }
    assert {name.partition('/')[2] for name in BASELINES} == promised


# Loss, its arguments, views, rate.
SUPCON, MULTI = 'mmpaco.SupConLoss', 'mmpaco.MultiTaskLoss'
TWO_TASKS = dict(type=MULTI, supcon_weight=0.5)
LT_SIM, CIFAR_CUT = ('sim_224',) * 2, ('cifar_autoaug-cutout',) * 2
CIFAR_SIM = ('cifar_sim',) * 2
STACKED = {
    'resnet50': (2, 0.04),
    'resnext50-32x4d': (3, 0.06),
    'resnext101-32x4d': (5, 0.06),
}


def baseline_settings(method, backbone, data):
    """Loss, views and rate of a baseline with two views."""
    cifar = data.startswith('cifar')
    tau = 0.07 if cifar else 0.2
    if method == 'supcon-stage1':
        views = (CIFAR_CUT[0], CIFAR_SIM[0]) if cifar else LT_SIM
        tau, rate = (0.05, 0.05) if cifar else (0.2, 0.02)
        return dict(type=SUPCON, temperature=tau), views, rate
    loss = dict(TWO_TASKS, temperature=tau)
    if method.endswith('-rw'):
        loss['reweight'] = True
    if '-ce' in method:
        loss['balanced'] = False
    if cifar:
        return loss, CIFAR_SIM if data == 'cifar100' else CIFAR_CUT, 0.05
    if '-ce' in method:
        return loss, LT_SIM, 0.04
    n, rate = STACKED[backbone]
    views = f'randaug_n{n}-m10_224', f'randaug-stack_n{n}-m10_224'
    return loss, views, rate


@pytest.mark.usefixtures('no_init')
@pytest.mark.parametrize('name', BASELINES)
def test_settings_of_the_baselines(name):
    cfg, data = load(name), data_of(name)
    method, backbone, _ = name.partition('/')[2].split('_')
    model = build(cfg, name)
    rate = cfg.optim_wrapper.optimizer.lr
    assert cfg.auto_scale_lr.base_batch_size == 128
    assert cfg.optim_wrapper.optimizer.weight_decay == 5e-4
    hooks = {hook.type for hook in cfg.get('custom_hooks', [])}
    if method.startswith(('multi-task', 'supcon-stage1')):
        loss, views, expected = baseline_settings(method, backbone, data)
        assert cfg.model.head.loss == loss
        assert views_of(cfg) == [pipeline(view) for view in views]
        assert rate == expected
        assert model.head.queue.length == (
            1024 if data.startswith('cifar') else 8192
        )
        is_paco = method == 'supcon-stage1'
        assert (model.momentum_encoder is not None) == is_paco
        assert 'mmpaco.PaCoQueueHook' in hooks
        counts = model.head.prior is not None
    else:
        assert type(model).__name__ == 'ImageClassifier'
        view = 'cifar_autoaug-cutout' if 'cifar' in data else 'sim_224'
        if method == 'balanced-softmax' and 'cifar' not in data:
            view = 'randaug_n2-m10_224'
        steps = cfg.train_dataloader.dataset.pipeline
        assert steps[-1 - len(pipeline(view)) : -1] == pipeline(view)
        assert rate == (0.05 if data.startswith('cifar') else 0.02)
        counts = method == 'balanced-softmax'
    # Without the hook the counts would be missed at the first loss.
    assert 'mmpaco.ClassPriorHook' in hooks or not counts
    trained = {key for key, p in model.named_parameters() if p.requires_grad}
    if method == 'supcon-stage2':
        assert trained == {'head.fc.weight', 'head.fc.bias'}
        model.train()
        norms = [
            module
            for module in model.backbone.modules()
            if isinstance(module, torch.nn.BatchNorm2d)
        ]
        assert norms and not any(norm.training for norm in norms)
