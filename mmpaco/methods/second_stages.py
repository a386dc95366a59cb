"""Methods for configs of mmpretrain that train a classifier afterwards."""

from __future__ import annotations

import math
from typing import Any

from mmengine.config import Config

from .base import Facts, Options, Plan, WrongSetting, method
from .classification import cross_entropy
from .second_stage_plans import balanced_stage
from .settings import STAGE2, add_hooks
from .stock_classifiers import (
    Classifier,
    check_stock_linear,
    classifier_of,
)

_SCOPE = 'mmpretrain'
_LOSS = f'{STAGE2}model.head.loss'
_SECOND = {
    'stage2_epochs': f'{STAGE2}train_cfg.max_epochs',
    'in_a_row': f'{STAGE2}train_dataloader.sampler.in_a_row',
}
_DECOUPLING = (
    'Decoupling, Kang et al., ICLR 2020, https://arxiv.org/abs/1910.09217'
)


@method(
    'crt',
    _SCOPE,
    'cross-entropy, then a new classifier on class-balanced batches',
    _DECOUPLING,
    _SECOND,
)
def crt(cfg: Config, facts: Facts, options: Options) -> Plan:
    """Train the config, and another classifier in a second stage."""
    plan = cross_entropy(cfg, facts, options)
    plan.second_stage = balanced_stage(
        cfg,
        options,
        _head_of(plan),
        9,
        'as of Decoupling on ImageNet-LT, 10 after 90',
        dict(fresh_head=True),
        'The classifier starts anew',
    )
    return plan


@method(
    'lws',
    _SCOPE,
    'cross-entropy, then a scale for each class on class-balanced batches',
    _DECOUPLING,
    _SECOND,
)
def lws(cfg: Config, facts: Facts, options: Options) -> Plan:
    """Train the config, and scales of its scores in a second stage."""
    _check_scaled(cfg, 'lws')
    plan = cross_entropy(cfg, facts, options)
    plan.second_stage = balanced_stage(
        cfg,
        options,
        dict(_head_of(plan), type='mmpaco.ScaledClsHead'),
        18,
        'as of Decoupling on ImageNet-LT, 5 after 90',
        {},
        'The classifier is that of the first stage and frozen; a scale for '
        'the score of each class is trained',
    )
    return plan


@method(
    'mislas',
    _SCOPE,
    'Mixup, then classifier and scales with label-aware smoothing',
    'MiSLAS, Zhong et al., CVPR 2021, https://arxiv.org/abs/2104.00466',
    {
        **_SECOND,
        'head': f'{_LOSS}.head',
        'tail': f'{_LOSS}.tail',
        'fc_lr_mult': f'{STAGE2}optim_wrapper.paramwise_cfg.custom_keys.fc.'
        'lr_mult',
    },
)
def mislas(cfg: Config, facts: Facts, options: Options) -> Plan:
    """Train the config with Mixup, and its classifier in a second stage."""
    _check_scaled(cfg, 'mislas')
    classifier = classifier_of(cfg)
    plan = cross_entropy(cfg, facts, options)
    _mix(plan, classifier)
    rate, *ends = (
        options.given.get(name, value)
        for name, value in (('fc_lr_mult', 0.05), ('head', 0.3), ('tail', 0.0))
    )
    if not 0 <= rate < math.inf:
        raise WrongSetting(
            'fc_lr_mult is a multiple of the rate of the config, 0 at least, '
            f'but got {rate}'
        )
    smoothing = dict(zip(('head', 'tail'), ends))
    head = dict(
        _head_of(plan),
        type='mmpaco.ScaledClsHead',
        train_fc=True,
        loss=dict(
            _delete_=True,
            type='mmpaco.LabelAwareSmoothLoss',
            num_classes=classifier.num_classes,
            **smoothing,
        ),
    )
    second = balanced_stage(
        cfg,
        options,
        head,
        18,
        'as of MiSLAS on ImageNet-LT, 10 after 180',
        {},
        f'The classifier goes on at {rate:g} of the rate (fc_lr_mult), with a '
        'scale for the score of each class and a smoothing from '
        f'{smoothing["head"]:g} at the most frequent class to '
        f'{smoothing["tail"]:g} at the rarest (head, tail); the release has '
        '0.05, 0.3 and 0 on ImageNet-LT and iNaturalist',
    )
    # Only the head is trained: no other part has a rate of its own.
    second.settings['optim_wrapper'] = dict(
        paramwise_cfg=dict(
            _delete_=True, custom_keys=dict(fc=dict(lr_mult=rate))
        )
    )
    if (cfg.get('optim_wrapper') or {}).get('constructor'):
        second.settings['optim_wrapper']['constructor'] = (
            'DefaultOptimWrapperConstructor'
        )
    add_hooks(second.settings, cfg, 'mmpaco.ClassPriorHook')
    plan.second_stage = second
    return plan


def _mix(plan: Plan, classifier: Classifier) -> None:
    """Mix the images of the first stage, unless the config does."""
    is_mixed = {'train_cfg', 'batch_augments'} & {*classifier.mixing}
    if is_mixed and '_delete_' not in classifier.head_changes:
        plan.decisions.append(
            'The first stage mixes images as the config does.'
        )
        return
    place = plan.settings
    for key in classifier.preprocessor:
        place = place.setdefault(key, {})
    place['num_classes'] = classifier.num_classes
    place['batch_augments'] = dict(
        _delete_=True, augments=dict(type='Mixup', alpha=0.2)
    )
    if classifier.head.get('cal_acc'):
        # There is none of mixed labels.
        head = plan.settings.setdefault('model', {}).setdefault('head', {})
        head['cal_acc'] = False
    plan.decisions.append(
        'The first stage mixes images by Mixup with alpha 0.2, as of MiSLAS '
        'on ImageNet-LT; on CIFAR it has 1.'
    )


def _head_of(plan: Plan) -> dict[str, Any]:
    """Give what a first stage changes in the head."""
    return dict((plan.settings.get('model') or {}).get('head') or {})


def _check_scaled(cfg: Config, name: str) -> None:
    check_stock_linear(
        classifier_of(cfg),
        f'{name} scales the scores',
        'crt, which trains any head anew',
    )
