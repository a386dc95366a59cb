"""What the methods make of a head that are another loss."""

import math

import pytest
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from support.method_plans import (
    BALANCED,
    BASE,
    LEAF,
    LOSSES,
    TAILED,
    applied,
    told,
)
from torch import nn

from mmpaco.methods import Refusal

COUNTED = sorted({*LOSSES} - {'focal'})


def head(**kwargs):
    return dict(model=dict(head=dict(_delete_=True, **kwargs)))


@pytest.mark.parametrize('name', LOSSES)
def test_what_a_loss_leaves_as_it_was(name):
    cfg, plan = applied(name)
    assert cfg.model.type == 'ImageClassifier'
    assert cfg.model.neck == BASE['model']['neck']
    assert cfg.model.head.topk == (1, 5)
    assert cfg.model.head.loss.num_classes == 10
    assert cfg.train_dataloader.dataset == LEAF
    counts = dict(type='mmpaco.ClassPriorHook')
    assert (counts in cfg.custom_hooks) == (name in COUNTED)
    assert ('counts the training images' in told(plan)) == (name in COUNTED)


@pytest.mark.parametrize('name', LOSSES)
def test_label_smoothing_goes(name):
    loss = dict(_delete_=True, type='LabelSmoothLoss', label_smooth_val=0.1)
    cfg, plan = applied(name, model=dict(head=dict(loss=loss)))
    assert 'label_smooth_val' not in cfg.model.head.loss
    assert 'The label smoothing of the config goes' in told(plan)


@pytest.mark.parametrize('name', COUNTED)
def test_on_balanced_data_it_is_said_what_is_left(name):
    assert 'about as many images each' in told(applied(name, BALANCED)[1])
    assert 'about as many images each' not in told(applied(name, TAILED)[1])


def test_logit_adjustment_has_a_factor():
    cfg, plan = applied('logit-adjusted')
    assert cfg.model.head.loss.tau == 1 and 'Balanced Softmax' in told(plan)
    cfg, plan = applied('logit-adjusted', given=dict(tau=1.5))
    assert cfg.model.head.loss == dict(
        type='mmpaco.BalancedSoftmaxLoss', num_classes=10, tau=1.5
    )
    assert 'this is Balanced Softmax' not in told(plan)


@pytest.mark.parametrize(
    'name, given, beta, gamma',
    [
        ('focal', {}, 0, 1),
        ('focal', dict(gamma=2.0), 0, 2),
        ('cb-focal', {}, 0.9999, 1),
        ('cb-focal', dict(beta=0.999, gamma=0.5), 0.999, 0.5),
    ],
)
def test_focal_losses_are_of_sigmoids(name, given, beta, gamma):
    cfg, _ = applied(name, given=given)
    assert cfg.model.head.loss == dict(
        type='mmpaco.ClassBalancedLoss',
        kind='sigmoid_focal',
        num_classes=10,
        beta=beta,
        gamma=gamma,
    )


@pytest.mark.parametrize('name', ('focal', 'cb-focal'))
def test_the_bias_of_sigmoids_begins_low_and_does_not_decay(name):
    own = dict(type='TruncNormal', layer='Linear', std=0.02)
    wrapper = dict(
        type='OptimWrapper',
        paramwise_cfg=dict(norm_decay_mult=0.0, custom_keys={'.cls': {}}),
    )
    cfg, plan = applied(
        name, model=dict(head=dict(init_cfg=own)), optim_wrapper=wrapper
    )
    assert cfg.model.head.init_cfg == dict(
        type='Normal',
        layer='Linear',
        std=0.01,
        bias=pytest.approx(-math.log(9), abs=1e-6),
    )
    assert cfg.optim_wrapper.paramwise_cfg == dict(
        norm_decay_mult=0.0,
        custom_keys={'.cls': {}, 'head.fc.bias': dict(decay_mult=0.0)},
    )
    assert '-log(C - 1) = -2.20' in told(plan)
    # Where the name of the last layer is another, it is said.
    cfg, plan = applied(name, **head(type='ClsHead'))
    assert 'init_cfg' not in cfg.model.head
    assert 'optim_wrapper' not in cfg
    assert 'for a LinearClsHead and not ClsHead' in told(plan)


@pytest.mark.parametrize(
    'options, rate',
    [
        (dict(custom_keys=dict(head=dict(lr_mult=10.0))), 1.0),
        (
            {'custom_keys': {'head': dict(lr_mult=9.0), 'fc.b': {}, 'x': {}}},
            0.1,
        ),
        (dict(bias_lr_mult=2.0), 0.2),
        (dict(bias_lr_mult=0.0), 0.0),
        (dict(), 0.1),
    ],
)
def test_the_bias_of_sigmoids_keeps_its_rate(options, rate):
    optimizer = dict(type='SGD', lr=0.1, weight_decay=1.0)
    cfg, _ = applied(
        'focal',
        optim_wrapper=dict(
            type='OptimWrapper', optimizer=optimizer, paramwise_cfg=options
        ),
    )
    model = nn.ModuleDict(
        dict(head=nn.ModuleDict(dict(fc=nn.Linear(2, 2)))),
    )
    groups = build_optim_wrapper(model, cfg.optim_wrapper).param_groups
    (bias,) = (x for x in groups if x['params'][0].dim() == 1)
    assert bias['lr'] == pytest.approx(rate)
    assert bias['weight_decay'] == 0


def test_cosines_margins_and_weights_of_the_last_fifth():
    for epochs, epoch in ((200, 160), (400, 320), (7, 5), (1, 0)):
        cfg, plan = applied(
            'ldam-drw', train_cfg=dict(by_epoch=True, max_epochs=epochs)
        )
        assert cfg.default_hooks.reweighting == dict(
            type='mmpaco.DeferredReweightingHook', epoch=epoch
        )
        assert f'from epoch {epoch} of {epochs} on' in told(plan)
    assert cfg.model.head == dict(
        type='mmpaco.CosineClsHead',
        num_classes=10,
        in_channels=512,
        topk=(1, 5),
        scale=30.0,
        loss=dict(
            type='mmpaco.LDAMLoss',
            num_classes=10,
            max_margin=0.5,
            scale=30.0,
            beta=0.9999,
        ),
    )


def test_a_scale_is_that_of_head_and_loss():
    given = dict(scale=16.0, reweighting_epoch=3, max_margin=0.3)
    cfg, plan = applied('ldam-drw', given=given)
    assert cfg.model.head.scale == cfg.model.head.loss.scale == 16
    assert cfg.model.head.loss.max_margin == 0.3
    assert cfg.default_hooks.reweighting.epoch == 3
    assert 'from epoch 3 on, as given' in told(plan)


def test_no_weights_at_all_are_refused():
    with pytest.raises(Refusal, match='beta=0 has no weights'):
        applied('ldam-drw', given=dict(beta=0))


@pytest.mark.parametrize(
    'changes, why',
    [
        (head(type='ClsHead'), 'take the place of a LinearClsHead'),
        (
            head(type='VisionTransformerClsHead', num_classes=10),
            'the head is VisionTransformerClsHead',
        ),
        (
            dict(train_cfg=dict(_delete_=True, by_epoch=False, max_iters=9)),
            'counts iterations',
        ),
        (dict(train_cfg=None), 'counts iterations'),
    ],
)
def test_what_has_no_cosines_or_no_epochs_is_refused(changes, why):
    with pytest.raises(Refusal, match=why):
        applied('ldam-drw', **changes)
    for name in sorted({*LOSSES} - {'ldam-drw'}):
        cfg, _ = applied(name, **changes)
        assert isinstance(cfg, Config)
