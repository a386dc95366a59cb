"""What each method makes of a config, and which it refuses."""

import copy

import pytest
from mmengine.config import Config
from support.method_plans import (
    ALL,
    BALANCED,
    BASE,
    CONTRAST,
    LEAF,
    LINEAR,
    LOSSES,
    MIXED,
    STEPS,
    TAILED,
    UNKNOWN,
    applied,
    told,
)

from mmpaco.methods import Facts, Refusal
from mmpaco.methods.settings import merged


@pytest.mark.parametrize('name', ALL)
def test_what_a_method_leaves_as_it_was(name):
    cfg, _ = applied(name)
    if name not in ('bbn', 'ride'):
        # Which make experts of the network.
        assert cfg.model.backbone == BASE['model']['backbone']
    assert cfg.custom_hooks[0] == BASE['custom_hooks'][0]
    assert cfg.train_cfg == BASE['train_cfg']
    assert cfg.model.head.num_classes == 10
    assert cfg.train_dataloader.batch_size == 64


@pytest.mark.parametrize('name', sorted({*ALL} - {'supcon'}))
def test_shots_are_measured_beside_what_is_measured(name):
    cfg, _ = applied(name)
    shots = dict(type='mmpaco.ShotAccuracy', train_dataset=LEAF)
    assert cfg.val_evaluator == [BASE['val_evaluator'], shots]
    assert cfg.test_evaluator == [*BASE['test_evaluator'], shots]
    once, _ = applied(name, val_evaluator=[shots], test_evaluator=None)
    assert once.val_evaluator == [shots]
    assert once.test_evaluator is None


@pytest.mark.parametrize('name', sorted({*ALL} - {'supcon'}))
@pytest.mark.parametrize(
    ('top', 'left'), [((1, 11), (1,)), (11, (1,)), ((1, 10), None), (5, None)]
)
def test_a_top_k_of_more_classes_than_there_are_goes(name, top, left):
    metric = dict(type='Accuracy', topk=top)
    cfg, plan = applied(name, val_evaluator=metric)
    wanted = dict(metric, topk=left) if left else metric
    assert cfg.val_evaluator[0] == wanted
    assert ('The top k of more than 10 classes goes' in told(plan)) == (
        left is not None
    )


@pytest.mark.parametrize('name', CONTRAST)
def test_contrast_is_of_two_views(name):
    cfg, plan = applied(name)
    assert cfg.model.type == 'mmpaco.PaCoClassifier'
    assert cfg.model.head.type == 'mmpaco.GPaCoHead'
    assert cfg.model.head.in_channels == 512
    assert cfg.model.head.topk == (1, 5)
    assert cfg.data_preprocessor.type == 'mmpaco.MultiViewDataPreprocessor'
    assert cfg.data_preprocessor.mean == [1.0]
    views = dict(type='MultiView', num_views=2, transforms=[STEPS[1:2]])
    assert cfg.train_dataloader.dataset.pipeline == [
        STEPS[0],
        views,
        STEPS[-1],
    ]
    hooks = [hook.type for hook in cfg.custom_hooks]
    assert hooks[-1] == 'mmpaco.PaCoQueueHook'
    assert "config's own transforms (RandomResizedCrop)" in told(plan)


def test_momentum_and_projector_are_those_of_the_paper():
    cfg, _ = applied('paco')
    assert cfg.model.momentum == 0.999
    assert cfg.model.head.projector == dict(
        num_layers=2, norm_cfg=dict(type='BN1d')
    )
    assert 'momentum' not in applied('gpaco')[0].model


@pytest.mark.parametrize('name', ('gpaco', 'paco'))
def test_alpha_times_the_positives_of_the_head_class_is_a_half(name):
    cfg, plan = applied(name, TAILED)
    assert cfg.model.head.queue_length == 950
    positives = 500 / 950 * (950 + 2 * 64 - 1)
    assert cfg.model.head.loss.alpha * positives == pytest.approx(0.5, 0.02)
    for figure in ('500 of 950', 'queue 950', 'batch 64', 'K = 567'):
        assert figure in told(plan)
    many = Facts((5000.0,) * 10, 50000)
    assert applied(name, many)[0].model.head.queue_length == 8192


@pytest.mark.parametrize('name', [*CONTRAST, *LOSSES])
@pytest.mark.parametrize('views', ('own', 'papers'))
def test_a_switch_of_recipes_does_not_end_a_method(name, views):
    recipe = dict(
        action_epoch=3,
        loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1),
        batch_augments=dict(augments=[dict(type='Mixup')]),
        train_pipeline=STEPS,
    )
    hook = dict(type='SwitchRecipeHook', schedule=[recipe], priority='LOW')
    cfg, plan = applied(name, views=views, custom_hooks=[hook])
    switch = cfg.custom_hooks[0]
    assert switch.priority == 'LOW' and len(switch.schedule) == 1
    pipeline = STEPS
    if name in CONTRAST:
        pipeline = cfg.train_dataloader.dataset.pipeline
        assert pipeline[1].type == 'MultiView'
    assert switch.schedule[0] == dict(action_epoch=3, train_pipeline=pipeline)
    assert 'SwitchRecipeHook keeps the loss' in told(plan)


@pytest.mark.parametrize('name', [*CONTRAST, *LOSSES])
def test_what_goes_with_a_loss_is_told(name):
    def told_of(**loss):
        head = dict(loss=dict(_delete_=True, **loss))
        return told(applied(name, model=dict(head=head))[1])

    plain = dict(type='CrossEntropyLoss', loss_weight=1.0)
    assert 'gives way' not in told_of(**plain)
    weights = told_of(type='CrossEntropyLoss', class_weight=[2.0] * 10)
    assert 'CrossEntropyLoss gives way' in weights
    assert 'its class_weight with it' in weights
    assert 'FocalLoss gives way' in told_of(type='FocalLoss')


def test_hooks_are_added_once():
    there = dict(type='ClassPriorHook', priority='LOW')
    cfg, _ = applied('gpaco', TAILED, custom_hooks=[there])
    assert cfg.custom_hooks == [there, dict(type='mmpaco.PaCoQueueHook')]


def test_alpha_is_for_the_batch_that_was_given():
    cfg, plan = applied(
        'gpaco', TAILED, given={'train_dataloader.batch_size': 512}
    )
    positives = 500 / 950 * (950 + 2 * 512 - 1)
    assert cfg.model.head.loss.alpha * positives == pytest.approx(0.5, 0.02)
    assert cfg.train_dataloader.batch_size == 512
    assert 'batch 512' in told(plan)


def test_alpha_is_for_the_queue_that_was_given():
    given = dict(queue_length=0)
    cfg, _ = applied('gpaco', TAILED, given=given)
    positives = 500 / 950 * (2 * 64 - 1)
    assert cfg.model.head.loss.alpha * positives == pytest.approx(0.5, 0.02)
    cfg, plan = applied('gpaco', TAILED, given=dict(alpha=0.5))
    assert cfg.model.head.loss.alpha == 0.5
    assert 'alpha x K of the head class is 283' in told(plan)


def test_what_is_unknown_is_as_in_the_papers():
    cfg, plan = applied('gpaco')
    assert cfg.model.head.loss == dict(
        type='mmpaco.PaCoLoss', alpha=0.05, temperature=0.2
    )
    assert cfg.model.head.queue_length == 8192
    assert 'd is not there' in told(plan)
    assert 'run this again' in told(plan)


@pytest.mark.parametrize('facts', (BALANCED, TAILED, UNKNOWN))
@pytest.mark.parametrize('name', ('gpaco', 'paco', 'multi-task'))
def test_the_prior_is_for_long_tailed_data(name, facts):
    cfg, _ = applied(name, facts)
    has_hook = any(x.type.endswith('ClassPriorHook') for x in cfg.custom_hooks)
    assert has_hook == (facts is not BALANCED)
    head = cfg.model.head
    if name == 'multi-task':
        assert head.loss.get('balanced', True) == has_hook
    else:
        assert head.get('class_prior', True) == has_hook
    if name == 'gpaco':
        cfg, _ = applied(name, facts, given=dict(class_prior=True))
        assert cfg.model.head.class_prior is True
        assert 'ClassPriorHook' in str(cfg.custom_hooks)


@pytest.mark.parametrize('name', [*CONTRAST, *LOSSES])
def test_mixed_labels_go_and_it_is_said(name):
    changes = {
        **MIXED,
        'data_preprocessor': dict(to_onehot=True, batch_augments=dict(x=1)),
    }
    cfg, plan = applied(name, **changes)
    assert cfg.model.train_cfg is None
    assert cfg.data_preprocessor.to_onehot is False
    assert cfg.data_preprocessor.batch_augments is None
    assert 'Mixup, CutMix and one-hot labels go' in told(plan)
    assert 'Mixup' not in told(applied(name)[1])


def test_cross_entropy_stays_as_it_is():
    cfg, _ = applied('cross-entropy', **MIXED)
    assert cfg.model.train_cfg.augments
    assert cfg.model.head == BASE['model']['head']
    focal = dict(head=dict(loss=dict(_delete_=True, type='FocalLoss')))
    cfg, _ = applied('cross-entropy', model=focal)
    assert cfg.model.head.loss == dict(type='CrossEntropyLoss')


@pytest.mark.parametrize('name', ('gpaco', 'paco', 'multi-task'))
def test_label_smoothing_stays(name):
    loss = dict(_delete_=True, type='LabelSmoothLoss', label_smooth_val=0.1)
    cfg, plan = applied(name, model=dict(head=dict(loss=loss)))
    assert cfg.model.head.loss.label_smoothing == 0.1
    assert 'label smoothing of the config, 0.1, stays' in told(plan)


def test_balanced_softmax_is_a_loss_of_the_head():
    cfg, _ = applied('balanced-softmax')
    assert cfg.model.type == 'ImageClassifier'
    assert cfg.model.head.loss == dict(
        type='mmpaco.BalancedSoftmaxLoss', num_classes=10
    )
    assert cfg.custom_hooks[1:] == [dict(type='mmpaco.ClassPriorHook')]


def test_supcon_has_two_stages():
    cfg, plan = applied('supcon')
    assert cfg.model.head.cal_acc is False
    assert cfg.val_dataloader is cfg.val_evaluator is cfg.val_cfg is None
    assert cfg.test_evaluator is None
    second = Config(merged(BASE, plan.second_stage.settings))
    assert second.model.type == 'mmpaco.LinearProbeClassifier'
    assert second.model.pretrained == 'work_dirs/s1/epoch_7.pth'
    assert second.model.head == BASE['model']['head']
    assert second.val_evaluator[1].type == 'mmpaco.ShotAccuracy'


def test_the_second_stage_begins_where_the_first_ends():
    own = dict(work_dir='own', load_from='other.pth')
    for given, end in (
        ({}, 'work_dirs/s1/epoch_7.pth'),
        ({'train_cfg.max_epochs': 9}, 'work_dirs/s1/epoch_9.pth'),
        ({'work_dir': 'd'}, 'd/epoch_7.pth'),
    ):
        cfg, plan = applied('supcon', given=given, **own)
        second = plan.second_stage.settings
        assert second['model']['pretrained'] == end
        # Its weights are not loaded over those of the first stage.
        assert second['load_from'] is None and cfg.load_from == 'other.pth'


def test_a_run_has_a_folder_of_its_own():
    cfg, plan = applied('supcon', work_dir='own')
    assert cfg.work_dir == 'work_dirs/s1'
    assert plan.second_stage.settings['work_dir'] == 'work_dirs/s1_stage2'
    assert 'work_dir' not in applied('gpaco')[0]


@pytest.mark.parametrize(
    'dataset',
    [
        dict(type='RepeatDataset', times=2, dataset=LEAF),
        dict(type='ConcatDataset', datasets=[LEAF, LEAF]),
        dict(type='ClassBalancedDataset', oversample_thr=0.1, dataset=LEAF),
        dict(
            type='RepeatDataset',
            times=2,
            dataset=dict(type='KFoldDataset', fold=1, dataset=LEAF),
        ),
    ],
)
@pytest.mark.parametrize('views', ('own', 'papers'))
def test_pipelines_inside_of_wrappers_make_views(dataset, views):
    loader = dict(dataset=dict(_delete_=True, **dataset))
    cfg, _ = applied('gpaco', views=views, train_dataloader=loader)
    found = str(cfg.train_dataloader.dataset)
    assert found.count('MultiView') == str(dataset).count('CustomDataset')
    assert cfg.train_dataloader.dataset.type == dataset['type']


def test_other_heads_go_around():
    head = dict(
        _delete_=True,
        type='VisionTransformerClsHead',
        num_classes=10,
        in_channels=192,
    )
    cfg, _ = applied('gpaco', model=dict(head=head))
    assert cfg.model.head.type == 'mmpaco.GPaCoStockHead'
    assert cfg.model.head.stock_head.type == 'VisionTransformerClsHead'
    # So an initialisation of all linear layers is not that of the projector.
    head = dict(head=dict(init_cfg=dict(type='TruncNormal', layer='Linear')))
    cfg, _ = applied('gpaco', model=head)
    assert cfg.model.head.type == 'mmpaco.GPaCoStockHead'


@pytest.mark.parametrize('name', sorted({*ALL} - {*LINEAR}))
def test_a_classifier_for_distillation_is_left_out(name):
    head = dict(
        _delete_=True, type='LeViTClsHead', num_classes=10, in_channels=9
    )
    cfg, plan = applied(name, model=dict(head=head))
    found = cfg.model.head.get('stock_head', cfg.model.head)
    assert found.distillation is False
    assert 'for distillation, is left out' in told(plan)


@pytest.mark.parametrize('name', ALL)
def test_a_head_for_mixed_labels_gives_way(name):
    head = dict(
        _delete_=True,
        type='MultiLabelLinearClsHead',
        num_classes=10,
        in_channels=512,
        loss=dict(type='CrossEntropyLoss', use_soft=True),
    )
    changes = copy.deepcopy(MIXED)
    changes['model']['head'] = head
    cfg, _ = applied(name, **changes)
    assert cfg.model.train_cfg is None
    assert 'use_soft' not in str(cfg.model)
    assert 'MultiLabel' not in str(cfg.model)


def test_maps_that_nothing_pools_are_pooled():
    cfg, _ = applied('gpaco', model=dict(neck=None))
    assert cfg.model.neck == dict(type='GlobalAveragePooling')
    swin = dict(neck=None, backbone=dict(_delete_=True, type='BEiTViT'))
    assert applied('gpaco', model=swin)[0].model.neck is None


def head(**kwargs):
    return dict(model=dict(head=dict(_delete_=True, **kwargs)))


def data(**kwargs):
    return dict(train_dataloader=dict(dataset=kwargs))


def model(kind):
    return dict(model=dict(type=kind))


@pytest.mark.parametrize(
    'changes, why',
    [
        (model('MAE'), 'self-supervised'),
        (model('ImageToImageRetriever'), 'retrieval'),
        (model('BlipCaption'), 'multimodal'),
        (model('TimmClassifier'), 'ImageClassifier'),
        (dict(model=dict(head=None)), 'no head'),
        (dict(train_dataloader=None), 'no training set'),
        (data(with_label=False), 'no labels'),
        (data(type='VOC'), 'multi-label'),
        (head(type='MultiLabelClsHead'), 'multi-label'),
        (head(type='CSRAClsHead', num_classes=3), 'multi-label'),
        (head(type='DeiTClsHead', num_classes=3), 'distilled'),
        (head(type='LeViTClsHead', deploy=True), 'deploy'),
        (head(type='mmpaco.GPaCoHead'), 'has a method already'),
        (
            dict(model=dict(head=dict(loss=dict(type='mmpaco.SupConLoss')))),
            'has a method already',
        ),
        (
            dict(data_preprocessor=dict(type='SelfSupDataPreprocessor')),
            'SelfSupDataPreprocessor',
        ),
    ],
)
@pytest.mark.parametrize('name', ALL)
def test_what_is_no_single_label_classifier_is_refused(name, changes, why):
    with pytest.raises(Refusal, match=why):
        applied(name, **changes)


@pytest.mark.parametrize(
    'changes, why',
    [
        (head(type='ClsHead'), 'inside the backbone'),
        (head(type='ArcFaceClsHead', num_classes=3), 'normed weights'),
        (data(pipeline=[dict(type='MultiView'), STEPS[-1]]), 'several views'),
        (data(pipeline=STEPS[:1]), 'no step that packs'),
    ],
)
@pytest.mark.parametrize('name', CONTRAST)
def test_what_contrast_cannot_use_is_refused(name, changes, why):
    with pytest.raises(Refusal, match=why):
        applied(name, **changes)
    applied('cross-entropy', **changes)


def test_a_class_count_is_needed():
    changes = head(type='ClsHead')
    changes['data_preprocessor'] = dict(num_classes=None)
    with pytest.raises(Refusal, match='how many classes'):
        applied('balanced-softmax', **changes)
