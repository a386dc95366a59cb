"""What the methods with a head of their own make of a config."""

import pytest
from support.method_plans import BALANCED, BASE, MIXED, TAILED, applied, told

from mmpaco.methods import Refusal

HEAD = dict(num_classes=10, in_channels=512, topk=(1, 5))


def test_branches_on_the_map():
    cfg, plan = applied('reslt', TAILED)
    assert cfg.model.neck is None
    assert cfg.model.head == dict(
        **HEAD,
        type='mmpaco.ResLTHead',
        branch='conv',
        loss=dict(
            type='mmpaco.ResLTLoss',
            num_classes=10,
            beta=0.99,
            groups=[10, 6, 3],
        ),
    )
    assert dict(type='mmpaco.ClassPriorHook') in cfg.custom_hooks
    for what in ('10, 6 and 3 rarest classes', 'convolutions of 1 x 1'):
        assert what in told(plan)
    assert 'about as many images each' in told(applied('reslt', BALANCED)[1])


@pytest.mark.parametrize(
    'channels, num_classes, branch, groups',
    [
        (64, 100, 'norm', [100, 65, 30]),
        (511, 2, 'norm', [2, 1, 1]),
        (2048, 1000, 'conv', [1000, 650, 300]),
    ],
)
def test_branches_are_those_of_the_release_for_as_many_channels(
    channels, num_classes, branch, groups
):
    head = dict(in_channels=channels, num_classes=num_classes)
    cfg, _ = applied('reslt', model=dict(head=head))
    assert cfg.model.head.branch == branch
    assert cfg.model.head.loss.groups == groups


def test_values_of_reslt_can_be_given():
    given = dict(beta=0.85, test_tau=0.7)
    cfg, plan = applied('reslt', given=given)
    assert cfg.model.head.loss.beta == 0.85
    assert cfg.model.head.test_tau == 0.7
    assert 'beta is 0.85, as given' in told(plan)
    cfg, _ = applied('reslt', given={'model.head.loss.groups': [10, 5, 2]})
    assert cfg.model.head.loss.groups == [10, 5, 2]


def test_maps_that_nothing_pools_need_no_neck_to_go():
    cfg, _ = applied('reslt', model=dict(neck=None))
    assert cfg.model.neck is None
    cfg, plan = applied('tde', model=dict(neck=None))
    assert cfg.model.neck == dict(type='GlobalAveragePooling')
    assert 'that nothing pools' in told(plan)


def network(kind, neck=None, dim=2):
    neck = neck and dict(_delete_=True, type=neck, dim=dim)
    return dict(model=dict(backbone=dict(_delete_=True, type=kind), neck=neck))


@pytest.mark.parametrize(
    'changes, why',
    [
        (network('VisionTransformer'), 'VisionTransformer with no neck'),
        (network('ConvNeXt'), 'ConvNeXt with no neck'),
        (network('HRNet', 'HRFuseScales'), 'with the neck HRFuseScales'),
        (network('X', 'GlobalAveragePooling', 1), 'GlobalAveragePooling'),
    ],
)
def test_a_network_without_maps_has_no_branches(changes, why):
    with pytest.raises(Refusal, match=f'reslt needs the last map.*{why}'):
        applied('reslt', **changes)
    applied('tde', **changes)


@pytest.mark.parametrize('name', ('reslt', 'tde'))
@pytest.mark.parametrize('kind', ('StackedLinearClsHead', 'ConformerHead'))
def test_another_head_is_refused(name, kind):
    head = dict(_delete_=True, type=kind, num_classes=10, in_channels=512)
    told = f'the head is {kind}.*{name}.*of a LinearClsHead.*balanced-softmax'
    with pytest.raises(Refusal, match=told):
        applied(name, model=dict(head=head))


def test_cosines_of_tde():
    cfg, plan = applied('tde', TAILED)
    assert cfg.model.neck == BASE['model']['neck']
    assert cfg.model.head == dict(
        **HEAD,
        type='mmpaco.CausalNormHead',
        alpha=1.5,
        num_heads=2,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
    )
    hook = dict(type='mmpaco.CausalNormHook')
    assert cfg.custom_hooks == [*BASE['custom_hooks'], hook]
    assert 'alpha is 1.5, as for CIFAR-100-LT' in told(plan)
    assert 'It acts at test alone' in told(plan)


def test_tde_is_trained_by_a_cross_entropy():
    focal = dict(head=dict(loss=dict(_delete_=True, type='FocalLoss')))
    cfg, plan = applied('tde', model=focal)
    assert cfg.model.head.loss == dict(type='CrossEntropyLoss')
    assert 'FocalLoss gives way to CrossEntropyLoss' in told(plan)
    # Which has a use for mixed labels, where reslt has none.
    cfg, _ = applied('tde', **MIXED)
    assert cfg.model.train_cfg.augments
    cfg, plan = applied('reslt', **MIXED)
    assert cfg.model.train_cfg is None
    assert 'Mixup, CutMix and one-hot labels go' in told(plan)


def test_values_of_tde_can_be_given():
    given = dict(alpha=3.0, num_heads=4, scale=30, gamma=0.1, momentum=0.99)
    cfg, plan = applied('tde', given=given)
    assert {name: cfg.model.head[name] for name in given} == given
    assert 'alpha is 3, as given' in told(plan)
    assert 'mean cosine of 4 parts of the feature' in told(plan)
    with pytest.raises(Refusal, match='3 parts .num_heads., but model.head'):
        applied('tde', given=dict(num_heads=3))
