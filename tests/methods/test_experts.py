"""What the methods of several experts make of a config."""

import pytest
from mmpretrain.registry import MODELS
from support.method_plans import BALANCED, TAILED, applied, told
from support.scope import enter_scope

from mmpaco.methods import Refusal


def backbone(**kwargs):
    return dict(model=dict(backbone=dict(_delete_=True, **kwargs)))


def test_experts_share_the_first_stages():
    cfg, plan = applied('ride', TAILED)
    assert cfg.model.backbone == dict(
        type='mmpaco.MultiExpertResNet',
        depth=18,
        num_experts=3,
        own_stages=2,
        widths=(192, 384),
    )
    assert cfg.model.neck == dict(type='GlobalAveragePooling')
    assert cfg.model.head == dict(
        type='mmpaco.MultiExpertClsHead',
        num_classes=10,
        in_channels=384,
        topk=(1, 5),
        num_experts=3,
        scale=30.0,
        loss=dict(
            type='mmpaco.RIDELoss',
            num_classes=10,
            max_margin=0.5,
            scale=30.0,
            beta=0.9999,
            diversity=-0.2,
            spread=0.05,
        ),
    )
    assert dict(type='mmpaco.ClassPriorHook') in cfg.custom_hooks
    assert cfg.default_hooks.reweighting == dict(
        type='mmpaco.DeferredReweightingHook', epoch=5
    )
    for what in (
        'takes the place of ResNet: num_experts=3',
        'three fourths of the channels',
        'from epoch 5 of 7 on',
        'are left out',
    ):
        assert what in told(plan)
    assert 'about as many images each' in told(applied('ride', BALANCED)[1])


# Channels of a feature of one plain network, and of an expert.
NETWORKS = {
    'ResNet': (dict(type='ResNet', depth=50), 2048, 1536),
    'scoped': (dict(type='mmpretrain.ResNet', depth=34), 512, 384),
    'narrow': (dict(type='ResNet', depth=50, base_channels=32), 1024, 768),
    'three stages': (
        dict(
            type='ResNet',
            depth=50,
            num_stages=3,
            strides=(1, 2, 2),
            dilations=(1, 1, 1),
            out_indices=(2,),
        ),
        *(1024, 768),
    ),
    'all maps': (
        *(dict(type='ResNet', depth=18, out_indices=(0, 1, 2, 3)), 512, 384),
    ),
    'ResNeXt': (dict(type='ResNeXt', depth=50), 2048, 1536),
    'wide groups': (
        dict(type='ResNeXt', depth=50, groups=32, width_per_group=8),
        *(2048, 1536),
    ),
    'ResNetV1c': (dict(type='ResNetV1c', depth=50), 2048, 1536),
    'ResNetV1d': (dict(type='ResNetV1d', depth=50), 2048, 1536),
    'ResNet_CIFAR': (dict(type='ResNet_CIFAR', depth=18), 512, 384),
    'two stages': (
        dict(
            type='ResNet_CIFAR',
            depth=18,
            num_stages=2,
            strides=(1, 2),
            dilations=(1, 1),
            out_indices=(1,),
        ),
        *(128, 96),
    ),
    'CIFARResNet': (dict(type='mmpaco.CIFARResNet', depth=20), 64, 48),
}


@pytest.mark.usefixtures('no_init')
@pytest.mark.parametrize('experts', (3, 1))
@pytest.mark.parametrize('name', NETWORKS)
def test_the_form_of_a_network_is_built(name, experts):
    enter_scope('mmpretrain')
    network, *channels = NETWORKS[name]
    given = {} if experts == 3 else dict(num_experts=1)
    cfg, _ = applied('ride', given=given, **backbone(**network))
    assert cfg.model.head.in_channels == channels[experts > 1]
    model = MODELS.build(cfg.model)
    net = model.backbone
    assert net.num_experts == model.head.num_experts == experts
    assert net.feat_dim == model.head.in_channels
    if experts == 1:
        # It has the weights of the plain network, and no others.
        plain = MODELS.build(network)
        mine = [x.shape for x in net.parameters()]
        assert mine == [x.shape for x in plain.parameters()]


def test_values_can_be_given():
    given = dict(
        num_experts=2, scale=16.0, diversity=-0.45, reweighting_epoch=3
    )
    cfg, plan = applied('ride', given={**given, 'spread': 0.02})
    head = cfg.model.head
    assert cfg.model.backbone.num_experts == head.num_experts == 2
    assert head.scale == head.loss.scale == 16
    assert (head.loss.diversity, head.loss.spread) == (-0.45, 0.02)
    assert cfg.default_hooks.reweighting.epoch == 3
    assert 'on CIFAR-100-LT' not in told(plan)
    assert 'on CIFAR-100-LT' in told(applied('ride', given=given)[1])


def test_maps_that_nothing_pools_are_pooled():
    cfg, plan = applied('ride', model=dict(neck=None))
    assert cfg.model.neck == dict(type='GlobalAveragePooling')
    assert 'nothing pools' in told(plan)
    pooling = dict(_delete_=True, type='GeneralizedMeanPooling')
    cfg, _ = applied('ride', model=dict(neck=pooling))
    assert cfg.model.neck.type == 'GeneralizedMeanPooling'


def test_weights_to_begin_with_are_for_what_is_shared():
    init = dict(type='Pretrained', checkpoint='a.pth', prefix='backbone')
    network = dict(type='ResNet', depth=18, init_cfg=init)
    cfg, plan = applied('ride', **backbone(**network))
    assert cfg.model.backbone.init_cfg == init
    assert 'what the experts share alone' in told(plan)
    assert 'experts share alone' in told(applied('ride', load_from='b')[1])
    assert 'experts share alone' not in told(applied('ride')[1])


@pytest.mark.parametrize(
    'changes, why',
    [
        (backbone(type='ResNeSt', depth=50), 'is ResNeSt, which has no form'),
        (backbone(type='SEResNet', depth=50), 'SEResNet, which has no form'),
        (backbone(type='SwinTransformer'), 'ride is for ResNet, ResNeXt'),
        (
            dict(model=dict(neck=dict(_delete_=True, type='LinearNeck'))),
            'the neck is LinearNeck',
        ),
        (
            dict(model=dict(head=dict(_delete_=True, type='ClsHead'))),
            'the cosines of ride take the place of a LinearClsHead',
        ),
        (
            dict(train_cfg=dict(_delete_=True, by_epoch=False, max_iters=9)),
            'ride weights the classes from an epoch on',
        ),
    ],
)
def test_what_has_no_experts_is_refused(changes, why):
    with pytest.raises(Refusal, match=why):
        applied('ride', **changes)


def test_weights_of_classes_are_needed():
    with pytest.raises(Refusal, match='ride weights the classes .* beta=0'):
        applied('ride', given=dict(beta=0))
