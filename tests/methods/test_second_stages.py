"""What crt, lws and mislas make of a config, in both stages."""

import uuid

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MessageHub
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from support.method_plans import BASE, MIXED, applied, told
from support.scope import enter_scope

from mmpaco.methods import Refusal, find_method
from mmpaco.methods.given_settings import named
from mmpaco.methods.settings import merged

TWO_STAGES = ('crt', 'lws', 'mislas')
SAMPLER = dict(type='mmpaco.ClassPowerSampler', power=0, in_a_row=4)


def both(name, given=None, **changes):
    """Give the configs of both stages, and the plan of the first."""
    given = named(given or {}, find_method(name, 'mmpretrain'))
    cfg, plan = applied(name, given=given, **changes)
    below = merged(BASE, changes)
    return cfg, Config(merged(below, plan.second_stage.settings)), plan


def told_of(plan):
    return told(plan) + ' ' + told(plan.second_stage)


@pytest.mark.parametrize('name', ('crt', 'lws'))
def test_the_first_stage_is_the_config_itself(name):
    cfg, _, _ = both(name)
    shots = cfg.val_evaluator.pop(), cfg.test_evaluator.pop()
    assert {x.type for x in shots} == {'mmpaco.ShotAccuracy'}
    assert dict(cfg, val_evaluator=cfg.val_evaluator[0]) == BASE


def test_the_first_stage_of_mislas_mixes_images():
    cfg, _, plan = both('mislas')
    mixup = dict(augments=dict(type='Mixup', alpha=0.2))
    assert cfg.data_preprocessor.batch_augments == mixup
    assert cfg.data_preprocessor.num_classes == 10
    assert 'Mixup with alpha 0.2' in told(plan)
    # What mixes already stays, but one-hot labels alone mix nothing.
    cfg, second, plan = both('mislas', **MIXED)
    assert cfg.model.train_cfg.augments and 'as the config does' in told(plan)
    assert 'batch_augments' not in cfg.data_preprocessor
    assert second.model.train_cfg is None
    cfg, second, _ = both('mislas', data_preprocessor=dict(to_onehot=True))
    assert cfg.data_preprocessor.batch_augments == mixup
    assert second.data_preprocessor.to_onehot is False
    assert 'batch_augments' not in second.data_preprocessor
    # Accuracy of mixed labels cannot be taken.
    cfg, _, _ = both('mislas', model=dict(head=dict(cal_acc=True)))
    assert cfg.model.head.cal_acc is False
    # It is where the config has its preprocessor.
    prep = dict(model=dict(data_preprocessor=dict(num_classes=9)))
    cfg, _, _ = both('mislas', **prep)
    assert cfg.model.data_preprocessor.batch_augments == mixup
    assert 'batch_augments' not in cfg.data_preprocessor


def test_the_rate_of_one_epoch_is_told_to_stay():
    _, _, plan = both('crt', train_cfg=dict(max_epochs=3))
    assert 'takes 1 epoch, 1/9 of' in told_of(plan)
    assert 'rate stays that of the config' in told_of(plan)
    assert 'on a cosine' not in told_of(plan)


@pytest.mark.parametrize('name', TWO_STAGES)
def test_the_second_stage_trains_on_balanced_batches(name):
    _, second, plan = both(
        name,
        load_from='x.pth',
        train_dataloader=dict(
            sampler=dict(type='RepeatAugSampler', shuffle=1)
        ),
        param_scheduler=[dict(type='LinearLR', end=5)],
        train_cfg=dict(max_epochs=90),
    )
    model = second.model
    assert model.type == 'mmpaco.LinearProbeClassifier'
    assert model.moving_statistics is True
    assert model.get('fresh_head', False) == (name == 'crt')
    assert model.pretrained == 'work_dirs/s1/epoch_90.pth'
    assert second.load_from is None
    assert second.train_dataloader.sampler == SAMPLER
    assert second.train_dataloader.batch_size == 64
    head = dict(
        crt='LinearClsHead',
        lws='mmpaco.ScaledClsHead',
        mislas='mmpaco.ScaledClsHead',
    )[name]
    assert model.head.type == head
    assert model.head.get('train_fc', False) == (name == 'mislas')
    assert (model.head.num_classes, model.head.in_channels) == (10, 512)
    epochs = 10 if name == 'crt' else 5
    assert second.train_cfg.max_epochs == epochs
    cosine = dict(
        type='CosineAnnealingLR',
        T_max=epochs,
        begin=0,
        end=epochs,
        by_epoch=True,
    )
    assert second.param_scheduler == [cosine]
    assert f'takes {epochs} epochs' in told_of(plan)
    assert 'to 0 on a cosine' in told_of(plan)
    assert second.val_evaluator[1].type == 'mmpaco.ShotAccuracy'


def test_the_second_stage_of_mislas_smooths_by_class():
    optimizer = dict(type='SGD', lr=0.1)
    _, second, plan = both(
        'mislas',
        optim_wrapper=dict(
            optimizer=optimizer,
            paramwise_cfg=dict(norm_decay_mult=0.0),
            constructor='LearningRateDecayOptimWrapperConstructor',
        ),
    )
    assert second.model.head.loss == dict(
        type='mmpaco.LabelAwareSmoothLoss', num_classes=10, head=0.3, tail=0.0
    )
    assert second.optim_wrapper == dict(
        optimizer=optimizer,
        paramwise_cfg=dict(custom_keys=dict(fc=dict(lr_mult=0.05))),
        constructor='DefaultOptimWrapperConstructor',
    )
    assert second.custom_hooks[1:] == [dict(type='mmpaco.ClassPriorHook')]
    assert 'from 0.3 at the most frequent class to 0' in told_of(plan)
    given = dict(head=0.4, tail=0.1, fc_lr_mult=0.2, in_a_row=2)
    first, second, plan = both('mislas', given)
    assert second.model.head.loss.head == 0.4
    assert second.model.head.loss.tail == 0.1
    assert second.optim_wrapper.paramwise_cfg.custom_keys.fc.lr_mult == 0.2
    assert second.train_dataloader.sampler == dict(SAMPLER, in_a_row=2)
    assert 'at 0.2 of the rate' in told_of(plan)
    assert 'from 0.4 at the most frequent class to 0.1' in told_of(plan)
    assert first.model.head.loss == BASE['model']['head']['loss']


@pytest.mark.parametrize(
    ('name', 'epochs', 'expected'),
    (
        *(('crt', 90, 10), ('crt', 200, 23), ('crt', 7, 1), ('crt', 400, 45)),
        *(('lws', 90, 5), ('lws', 1, 1), ('mislas', 180, 10)),
        ('mislas', 200, 12),
    ),
)
def test_the_second_stage_is_in_proportion_to_the_first(
    name, epochs, expected
):
    _, second, _ = both(name, train_cfg=dict(max_epochs=epochs))
    assert second.train_cfg.max_epochs == expected
    # Also to a length that is given, which is that of the first stage.
    first, second, _ = both(name, {'train_cfg.max_epochs': epochs})
    assert first.train_cfg.max_epochs == epochs
    assert second.train_cfg.max_epochs == expected
    assert second.param_scheduler[0].T_max == expected
    assert second.model.pretrained.endswith(f'/epoch_{epochs}.pth')


@pytest.mark.parametrize(
    'key', ('stage2_epochs', 'stage2.train_cfg.max_epochs')
)
def test_the_length_of_the_second_stage_can_be_given(key):
    given = {key: 3, 'train_cfg.max_epochs': 50}
    first, second, plan = both('lws', given)
    assert first.train_cfg.max_epochs == 50
    assert second.train_cfg.max_epochs == second.param_scheduler[0].T_max == 3
    assert 'takes 3 epochs, as given' in told_of(plan)


LAST = 'work_dirs/s1/epoch_7.pth'


@pytest.mark.parametrize(
    ('begun', 'given', 'first', 'second'),
    (
        ({}, {}, None, LAST),
        ({}, {'model.pretrained': 'a.pth'}, None, 'a.pth'),
        ({}, {'stage2.model.pretrained': 'a.pth'}, None, 'a.pth'),
        # The first stage has a start of its own.
        (dict(pretrained='i.pth'), {}, 'i.pth', LAST),
        (
            dict(pretrained='i.pth'),
            {'model.pretrained': 'a.pth'},
            'a.pth',
            LAST,
        ),
        (dict(pretrained='i.pth'), {'model.pretrained': None}, None, LAST),
        (
            dict(pretrained='i.pth'),
            {'stage2.model.pretrained': 'a.pth'},
            'i.pth',
            'a.pth',
        ),
    ),
)
@pytest.mark.parametrize('name', (*TWO_STAGES, 'supcon'))
def test_the_second_stage_begins_with_the_first(
    name, begun, given, first, second
):
    cfg, after, plan = both(name, given, model=begun)
    assert cfg.model.get('pretrained') == first
    assert after.model.pretrained == second
    assert f'expects at {second} (' in told_of(plan)


def test_a_second_stage_on_nothing_is_refused():
    with pytest.raises(Refusal, match="nothing has the key 'model.pretrained"):
        both('crt', {'model.pretrained': None})


def test_values_for_the_second_stage_alone():
    given = {'stage2.train_dataloader.batch_size': 7}
    first, second, _ = both('crt', given)
    assert first.train_dataloader.batch_size == 64
    assert second.train_dataloader.batch_size == 7
    for key, why in (
        ('stage2.model.type', 'consists of'),
        ('stage2.nothing', 'nothing has the key'),
    ):
        with pytest.raises(Refusal, match=why):
            both('crt', {key: 1})
    with pytest.raises(Refusal, match='nothing has the key'):
        applied('gpaco', given=given)


def test_iterations_are_shared_out_as_epochs_are():
    train = dict(_delete_=True, type='IterBasedTrainLoop', max_iters=900)
    _, second, plan = both('crt', train_cfg=train)
    assert second.train_cfg.max_iters == 100
    assert 'max_epochs' not in second.train_cfg
    (cosine,) = second.param_scheduler
    assert (cosine.T_max, cosine.by_epoch) == (100, False)
    assert second.model.pretrained == 'work_dirs/s1/iter_900.pth'
    assert 'takes 100 iterations' in told_of(plan)
    given = {'stage2.train_cfg.max_iters': 30}
    _, second, plan = both('crt', given, train_cfg=train)
    assert second.train_cfg.max_iters == second.param_scheduler[0].T_max == 30
    assert 'takes 30 iterations, as given' in told_of(plan)


@pytest.mark.parametrize(
    ('given', 'unit', 'why'),
    (
        (dict(stage2_epochs=5), 'iters', 'give stage2.train_cfg.max_iters'),
        (dict(stage2_epochs=0), 'epochs', 'stage2_epochs must be an integer'),
        (dict(stage2_epochs=2.5), 'epochs', 'at least, but got 2.5'),
        ({'stage2.train_cfg.max_iters': -3}, 'iters', 'max_iters must be'),
    ),
)
def test_a_length_that_cannot_be_is_refused(given, unit, why):
    train = {'_delete_': True, 'by_epoch': unit == 'epochs', f'max_{unit}': 90}
    with pytest.raises(Refusal, match=why):
        both('lws', given, train_cfg=train)


@pytest.mark.parametrize('name', TWO_STAGES)
def test_an_average_begins_with_the_second_stage(name):
    """It may begin after the end of that, where mmengine raises."""
    hooks = [
        dict(type='EMAHook', momentum=0.1, begin_epoch=6),
        dict(
            type='SwitchRecipeHook',
            schedule=[dict(action_epoch=3, batch_augments=None)],
        ),
    ]
    first, second, plan = both(name, custom_hooks=hooks)
    assert first.custom_hooks == hooks
    assert second.custom_hooks[0] == dict(type='EMAHook', momentum=0.1)
    assert second.custom_hooks[1].type == 'SwitchRecipeHook'
    assert 'from the start of the second stage' in told(plan.second_stage)
    _, second, plan = both(name)
    assert second.custom_hooks[0] == BASE['custom_hooks'][0]
    assert 'EMAHook' not in told_of(plan)


@pytest.mark.parametrize('name', ('lws', 'mislas'))
def test_scales_are_for_a_linear_head(name):
    head = dict(
        _delete_=True,
        type='VisionTransformerClsHead',
        num_classes=10,
        in_channels=192,
    )
    with pytest.raises(Refusal, match=f'{name} scales .* or crt'):
        applied(name, model=dict(head=head))
    assert both('crt', model=dict(head=head))[1].model.head == {
        k: v for k, v in head.items() if k != '_delete_'
    }


def test_a_classifier_inside_of_the_backbone_is_refused():
    head = dict(head=dict(_delete_=True, type='ClsHead'))
    prep = dict(num_classes=10)
    with pytest.raises(Refusal, match='inside the backbone'):
        applied('crt', model=head, data_preprocessor=prep)


def test_another_loss_gives_way_in_both_stages():
    loss = dict(loss=dict(_delete_=True, type='FocalLoss'))
    first, second, _ = both('lws', model=dict(head=loss))
    for cfg in (first, second):
        assert cfg.model.head.loss == dict(type='CrossEntropyLoss')


@pytest.mark.parametrize('rate', (-1, -0.05, float('inf'), float('nan')))
def test_a_rate_that_cannot_be_is_refused(rate):
    """Any way it is named; a classifier at rest would be LWS."""
    for name in ('', 'stage2.optim_wrapper.paramwise_cfg.custom_keys.fc.'):
        key = f'{name}lr_mult' if name else 'fc_lr_mult'
        with pytest.raises(Refusal, match='lr_mult'):
            both('mislas', {key: rate})
    both('mislas', {'fc_lr_mult': 0})


MIXUP = dict(augments=dict(type='Mixup', alpha=1.0))
PLACES = {
    'train_cfg': MIXED,
    'preprocessor': dict(data_preprocessor=dict(batch_augments=MIXUP)),
    'of the model': dict(
        model=dict(
            data_preprocessor=dict(
                type='ClsDataPreprocessor',
                num_classes=10,
                batch_augments=MIXUP,
            )
        )
    ),
}


@pytest.mark.parametrize('place', PLACES)
@pytest.mark.parametrize('name', (*TWO_STAGES, 'supcon'))
def test_the_second_stage_mixes_no_images(name, place):
    changes = PLACES[place]
    hook = dict(
        type='SwitchRecipeHook',
        schedule=[dict(action_epoch=1, batch_augments=MIXUP)],
    )
    first, second, plan = both(name, **changes, custom_hooks=[hook])
    assert 'Mixup and CutMix go: the releases' in told(plan.second_stage)
    for cfg in (first, second) if name == 'supcon' else (second,):
        model = cfg.model
        assert not (model.get('train_cfg') or {}).get('augments')
        assert not cfg.data_preprocessor.get('batch_augments')
        prep = model.get('data_preprocessor') or {}
        assert not prep.get('batch_augments')
        assert cfg.custom_hooks[0].schedule == [dict(action_epoch=1)]
    _, _, plan = both(name)
    assert 'Mixup' not in told(plan.second_stage)


@pytest.mark.parametrize('name', ('crt', 'mislas'))
@pytest.mark.parametrize(
    'loss',
    (
        dict(type='CrossEntropyLoss'),
        dict(type='CrossEntropyLoss', use_soft=True),
        dict(type='CrossEntropyLoss', use_sigmoid=True),
        dict(type='LabelSmoothLoss', label_smooth_val=0.1),
    ),
    ids=('plain', 'soft', 'sigmoid', 'smooth'),
)
def test_the_second_stage_has_the_labels_that_its_loss_takes(name, loss):
    head = dict(loss=dict(_delete_=True, **loss))
    changes = merged(MIXED, dict(model=dict(head=head)))
    changes['data_preprocessor'] = dict(mean=[0.0], std=[1.0], to_rgb=False)
    _, second, _ = both(name, **changes)
    enter_scope('mmpretrain')
    # A run before this one may have left its iteration.
    MessageHub.get_instance(uuid.uuid4().hex)
    prep = dict(second.data_preprocessor, type='ClsDataPreprocessor')
    second.model.update(pretrained=None, data_preprocessor=prep)
    model = MODELS.build(second.model)
    # Of a first stage.
    model.load_state_dict(model.state_dict())
    if name == 'mislas':
        model.head.loss_module.prior.set_class_counts([5] * 10)
    images = torch.randint(0, 255, (4, 3, 32, 32), dtype=torch.uint8)
    samples = [DataSample().set_gt_label(i) for i in range(4)]
    batch = dict(inputs=list(images), data_samples=samples)
    batch = model.data_preprocessor(batch, training=True)
    # Not mixed.
    assert torch.equal(batch['inputs'], images.float())
    assert 0 < model(**batch, mode='loss')['loss'].item() < 9
