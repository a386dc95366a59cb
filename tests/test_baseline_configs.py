"""Promises of the configs for the papers' classification baselines."""

import pytest
import torch
from mmengine.registry import init_default_scope
from support.small_cls import (
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
        *(
            f'{method}_{system}'
            for method in ('cross-entropy', 'balanced-softmax')
            for system in (
                'resnext50-32x4d_imagenet-lt',
                'resnext101-32x4d_imagenet-lt',
                'resnet50_inaturalist2018',
                'resnet152_places-lt',
            )
        ),
        'multi-task-ce_resnet50_cifar100',
        'multi-task-balanced-softmax-momentum_resnext50-32x4d_imagenet-lt',
        'multi-task-ce-momentum_resnet50_cifar100',
        'multi-task-ce-momentum_resnet50_imagenet',
    }
    assert {name.partition('/')[2] for name in BASELINES} == promised


def supcon(temperature):
    return dict(type='mmpaco.SupConLoss', temperature=temperature)


def two_tasks(temperature, supcon_weight=0.5, **options):
    return dict(
        type='mmpaco.MultiTaskLoss',
        supcon_weight=supcon_weight,
        temperature=temperature,
        **options,
    )


SIM, CUT = ('sim_224',) * 2, ('cifar_autoaug-cutout',) * 2
LT, CIFAR_LT = 'resnet50_imagenet-lt', 'resnet32_cifar100-lt-if100'
BALANCED = 'multi-task-balanced-softmax'


def stacked(n):
    return f'randaug_n{n}-m10_224', f'randaug-stack_n{n}-m10_224'


# Loss, views and rate of the baselines with two views.
TWO_VIEWS = {
    f'supcon-stage1_{LT}': (supcon(0.2), SIM, 0.02),
    f'multi-task-ce_{LT}': (two_tasks(0.2, balanced=False), SIM, 0.04),
    f'multi-task-ce-rw_{LT}': (
        two_tasks(0.2, balanced=False, reweight=True),
        SIM,
        0.04,
    ),
    f'{BALANCED}_{LT}': (two_tasks(0.2), stacked(2), 0.04),
    f'{BALANCED}-rw_{LT}': (two_tasks(0.2, reweight=True), stacked(2), 0.04),
    f'{BALANCED}_resnext50-32x4d_imagenet-lt': (
        two_tasks(0.2),
        stacked(3),
        0.06,
    ),
    f'{BALANCED}_resnext101-32x4d_imagenet-lt': (
        two_tasks(0.2),
        stacked(5),
        0.06,
    ),
    f'supcon-stage1_{CIFAR_LT}': (supcon(0.05), (CUT[0], 'cifar_sim'), 0.05),
    f'multi-task-ce_{CIFAR_LT}': (two_tasks(0.07, balanced=False), CUT, 0.05),
    f'multi-task-ce-rw_{CIFAR_LT}': (
        two_tasks(0.07, balanced=False, reweight=True),
        CUT,
        0.05,
    ),
    f'{BALANCED}_{CIFAR_LT}': (two_tasks(0.07), CUT, 0.05),
    f'{BALANCED}-rw_{CIFAR_LT}': (two_tasks(0.07, reweight=True), CUT, 0.05),
    'multi-task-ce_resnet50_cifar100': (
        two_tasks(0.07, balanced=False),
        ('cifar_sim',) * 2,
        0.05,
    ),
    # With the momentum encoder of PaCo.
    f'{BALANCED}-momentum_resnext50-32x4d_imagenet-lt': (
        two_tasks(0.2),
        ('randaug-stack_n2-m10_224', 'sim_224'),
        0.02,
    ),
    'multi-task-ce-momentum_resnet50_cifar100': (
        two_tasks(0.07, balanced=False),
        ('cifar_sim',) * 2,
        0.1,
    ),
    'multi-task-ce-momentum_resnet50_imagenet': (
        two_tasks(0.2, supcon_weight=0.05, balanced=False),
        ('randaug_n2-m10_224', 'sim_224'),
        0.04,
    ),
}


def batch_and_decay(name, data):
    is_large = data == 'imagenet' or name.endswith(
        'momentum_resnet50_cifar100'
    )
    is_weak = data in ('imagenet', 'inaturalist2018')
    return 256 if is_large else 128, 1e-4 if is_weak else 5e-4


def one_view(method, data):
    if data.startswith('cifar'):
        return 'cifar_autoaug-cutout'
    has_randaug = data == 'inaturalist2018' or (
        data == 'imagenet-lt' and method == 'balanced-softmax'
    )
    return 'randaug_n2-m10_224' if has_randaug else 'sim_224'


@pytest.mark.usefixtures('no_init')
@pytest.mark.parametrize('name', BASELINES)
def test_settings_of_the_baselines(name):
    cfg, data = load(name), data_of(name)
    model = build(cfg, name)
    name = name.partition('/')[2]
    method = name.partition('_')[0]
    rate = cfg.optim_wrapper.optimizer.lr
    batch, decay = batch_and_decay(name, data)
    assert cfg.auto_scale_lr.base_batch_size == batch
    assert cfg.optim_wrapper.optimizer.weight_decay == decay
    # Half precision where PaCo's run of the data has it.
    is_half = cfg.optim_wrapper.type == 'AmpOptimWrapper'
    assert is_half == (data == 'places-lt')
    hooks = {hook.type for hook in cfg.get('custom_hooks', [])}
    if name in TWO_VIEWS:
        loss, views, expected = TWO_VIEWS[name]
        assert cfg.model.head.loss == loss
        assert views_of(cfg) == [pipeline(view) for view in views]
        assert rate == expected
        assert model.head.queue.length == (
            1024 if data.startswith('cifar') else 8192
        )
        is_paco = method == 'supcon-stage1' or method.endswith('-momentum')
        assert (model.momentum_encoder is not None) == is_paco
        assert 'mmpaco.PaCoQueueHook' in hooks
        counts = model.head.prior is not None
    else:
        assert type(model).__name__ == 'ImageClassifier'
        view = pipeline(one_view(method, data))
        steps = cfg.train_dataloader.dataset.pipeline
        assert steps[-1 - len(view) : -1] == view
        loss = cfg.model.head.loss
        if method == 'balanced-softmax':
            assert loss.type == 'mmpaco.BalancedSoftmaxLoss'
            assert loss.num_classes == cfg.model.head.num_classes
        else:
            assert loss.type == 'CrossEntropyLoss'
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
