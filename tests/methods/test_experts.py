"""What the methods of several experts make of a config."""

import pytest
import torch
from mmpretrain.registry import MODELS
from support.method_plans import (
    BALANCED,
    BASE,
    LEAF,
    MIXED,
    STEPS,
    TAILED,
    applied,
    told,
)
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
    assert 'the stages that all experts share alone' in told(plan)
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


def test_two_branches_are_trained_on_pairs():
    cfg, plan = applied('bbn', TAILED)
    assert cfg.model.type == 'mmpaco.BBNClassifier'
    assert cfg.model.backbone == dict(
        type='mmpaco.MultiExpertResNet',
        depth=18,
        num_experts=2,
        own_blocks=1,
        joined=True,
    )
    assert cfg.model.neck == BASE['model']['neck']
    assert cfg.model.head == dict(BASE['model']['head'], in_channels=1024)
    assert cfg.data_preprocessor == dict(
        BASE['data_preprocessor'], type='mmpaco.MultiViewDataPreprocessor'
    )
    assert cfg.train_dataloader == dict(
        batch_size=64,
        sampler=dict(type='mmpaco.PairSampler'),
        dataset=dict(type='mmpaco.PairedDataset', dataset=LEAF),
    )
    assert cfg.custom_hooks == BASE['custom_hooks']
    assert cfg.default_hooks.progress == dict(type='mmpaco.BBNProgressHook')
    for what in (
        'takes the place of ResNet: its last block is there twice',
        'a batch has twice the images',
        'by the epoch of 7: at the last the second has all',
        'The loss of the config stays, of both labels',
    ):
        assert what in told(plan)
    assert 'much the same images' in told(applied('bbn', BALANCED)[1])


@pytest.mark.usefixtures('no_init')
@pytest.mark.parametrize('name', NETWORKS)
def test_two_branches_of_a_network_are_built(name):
    enter_scope('mmpretrain')
    network, channels, _ = NETWORKS[name]
    cfg, _ = applied('bbn', **backbone(**network))
    assert cfg.model.head.in_channels == 2 * channels
    model = MODELS.build(cfg.model)
    assert model.backbone.feat_dim == 2 * channels
    images = torch.randn(4, 3, 32, 32)
    assert model.extract_feat(images)[0].shape == (4, 2 * channels)


def test_a_cross_entropy_of_one_label_each_trains_the_branches():
    def changed(**changes):
        cfg, plan = applied('bbn', **changes)
        return cfg.model.head.loss, cfg, told(plan)

    def loss(**options):
        return dict(model=dict(head=dict(loss=dict(options, _delete_=True))))

    plain = dict(type='CrossEntropyLoss')
    smooth = dict(type='LabelSmoothLoss', label_smooth_val=0.1)
    assert changed(**loss(**smooth))[0] == smooth
    soft = changed(**loss(type='CrossEntropyLoss', use_soft=True))
    assert soft[0] == plain
    focal = changed(**loss(type='FocalLoss'))
    assert focal[0] == plain and 'FocalLoss gives way' in focal[2]
    mixed = changed(**MIXED)
    assert mixed[1].model.train_cfg is None
    assert 'Mixup, CutMix and one-hot labels go' in mixed[2]


def test_a_switch_of_recipes_keeps_pairs():
    recipe = dict(
        action_epoch=3,
        loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1),
        train_pipeline=STEPS,
    )
    hook = dict(type='SwitchRecipeHook', schedule=[recipe])
    cfg, _ = applied('bbn', custom_hooks=[hook])
    (switch,) = cfg.custom_hooks
    assert switch.schedule == [dict(action_epoch=3, train_pipeline=STEPS)]


def test_values_of_bbn_can_be_given():
    cfg, plan = applied('bbn', given=dict(epochs=10, power=0))
    assert cfg.default_hooks.progress.epochs == 10
    assert cfg.train_dataloader.sampler.power == 0
    assert 'with epochs as given' in told(plan)


@pytest.mark.parametrize(
    'changes, why',
    [
        (backbone(type='VisionTransformer'), 'bbn is for ResNet, ResNeXt'),
        (
            dict(model=dict(neck=dict(_delete_=True, type='LinearNeck'))),
            'the neck is LinearNeck, and bbn needs one',
        ),
        (
            dict(model=dict(head=dict(_delete_=True, type='ClsHead'))),
            'bbn doubles the features of a LinearClsHead',
        ),
        (
            dict(train_cfg=dict(_delete_=True, by_epoch=False, max_iters=9)),
            'bbn mixes its branches by the epoch, and the config counts',
        ),
        (
            dict(
                train_dataloader=dict(
                    dataset=dict(pipeline=[dict(type='MultiView'), STEPS[-1]])
                )
            ),
            'makes several views already',
        ),
    ],
)
def test_what_has_no_branches_is_refused(changes, why):
    with pytest.raises(Refusal, match=why):
        applied('bbn', **changes)
