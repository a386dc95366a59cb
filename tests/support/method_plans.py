"""A config of a classifier, and what methods make of it."""

import copy

from mmengine.config import Config

from mmpaco.methods import Facts, Options, find_method, methods
from mmpaco.methods.given_settings import complete
from mmpaco.methods.settings import merged

STEPS = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomResizedCrop', scale=64),
    dict(type='PackInputs'),
]
LEAF = dict(type='CustomDataset', data_root='d', pipeline=STEPS)
BASE = dict(
    default_scope='mmpretrain',
    model=dict(
        type='ImageClassifier',
        backbone=dict(type='ResNet', depth=18),
        neck=dict(type='GlobalAveragePooling'),
        head=dict(
            type='LinearClsHead',
            num_classes=10,
            in_channels=512,
            topk=(1, 5),
            loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        ),
    ),
    data_preprocessor=dict(num_classes=10, mean=[1.0], to_rgb=True),
    train_dataloader=dict(batch_size=64, dataset=LEAF),
    val_dataloader=dict(dataset=LEAF),
    val_cfg=dict(),
    val_evaluator=dict(type='Accuracy', topk=(1,)),
    test_evaluator=[dict(type='Accuracy'), dict(type='SingleLabelMetric')],
    train_cfg=dict(by_epoch=True, max_epochs=7),
    custom_hooks=[dict(type='EMAHook', momentum=1e-4)],
)
BALANCED = Facts((100.0,) * 10, 1000)
TAILED = Facts((500.0, *(50.0,) * 9), 950)
UNKNOWN = Facts(why_unknown='d is not there')
MIXED = dict(model=dict(train_cfg=dict(augments=[dict(type='Mixup')])))
CONTRAST = ('gpaco', 'paco', 'supcon', 'multi-task')
ALL = [x.name for x in methods('mmpretrain')]
# For a linear head alone.
LINEAR = ('bbn', 'ldam-drw', 'lws', 'mislas', 'reslt', 'ride', 'tde')
LOSSES = (
    *('balanced-softmax', 'cb-focal', 'focal', 'ldam-drw'),
    'logit-adjusted',
)


def applied(name, facts=UNKNOWN, views='own', given=None, **changes):
    """Give the resulting config, and the plan."""
    base = Config(merged(BASE, changes))
    before = copy.deepcopy(base.to_dict())
    method = find_method(name, 'mmpretrain')
    options = Options(views, given or {}, 'work_dirs/s1')
    plan = complete(
        base, method.function(base, facts, options), method, options
    )
    assert base.to_dict() == before
    return Config(merged(before, plan.settings)), plan


def told(plan):
    return ' '.join(plan.decisions)
