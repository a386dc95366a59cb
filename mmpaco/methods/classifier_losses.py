"""Methods for configs of mmpretrain that are another loss of the head."""

from __future__ import annotations

import math
from typing import Any, Optional

from mmengine.config import Config

from .base import Facts, Options, Plan, method
from .classifier_settings import (
    add_shots,
    loss_decisions,
    switch_recipes,
    unmix,
    unmix_decisions,
)
from .contrast import is_balanced
from .settings import add_hooks
from .stock_classifiers import Classifier, classifier_of
from .training_data import type_name

_SCOPE = 'mmpretrain'
_LOSS = 'model.head.loss'
_BIAS = 'head.fc.bias'


def loss_plan(
    cfg: Config,
    classifier: Classifier,
    loss: dict[str, Any],
    decisions: list[str],
    head: Optional[dict[str, Any]] = None,
    is_counted: bool = True,
) -> Plan:
    """Plan what all methods have that are a loss of one-label images.

    Args:
        cfg (Config): The config.
        classifier (Classifier): What it trains.
        loss (dict): The loss, without its number of classes.
        decisions (list[str]): What was decided on the way.
        head (dict, optional): What else the head is told. Defaults to none.
        is_counted (bool): Whether the loss needs the class counts. Defaults
            to True.

    Returns:
        Plan: Head, hooks and evaluators.
    """
    loss = dict(loss, num_classes=classifier.num_classes)
    settings: dict[str, Any] = dict(
        model=dict(
            head={
                **classifier.head_changes,
                **(head or {}),
                'loss': dict(_delete_=True, **loss),
            }
        )
    )
    decisions = [*classifier.notes, *decisions]
    if is_counted:
        decisions.append(
            'mmpaco.ClassPriorHook counts the training images of each class '
            'when training begins.'
        )
    if classifier.label_smoothing:
        decisions.append(
            'The label smoothing of the config goes: '
            f'{type_name(loss)} has none.'
        )
    decisions += unmix_decisions(classifier) + loss_decisions(classifier)
    unmix(settings, classifier)
    switch_recipes(settings, cfg, decisions)
    if is_counted:
        add_hooks(settings, cfg, 'mmpaco.ClassPriorHook')
    add_shots(settings, cfg, decisions, classifier.num_classes)
    return Plan(settings, decisions)


def balanced_note(facts: Facts, what: str) -> list[str]:
    """Say what a method for long-tailed data is on balanced ones.

    Args:
        facts (Facts): As of a method.
        what (str): What it is there.
    """
    if not is_balanced(facts):
        return []
    return [f'The classes have about as many images each, so this is {what}.']


@method(
    'balanced-softmax',
    _SCOPE,
    'cross-entropy with scores shifted by the log of the class counts',
    'Balanced Meta-Softmax, Ren et al., NeurIPS 2020, '
    'https://arxiv.org/abs/2007.10740',
)
def balanced_softmax(cfg: Config, facts: Facts, options: Options) -> Plan:
    """Put Balanced Softmax into the head of the config."""
    return loss_plan(
        cfg,
        classifier_of(cfg),
        dict(type='mmpaco.BalancedSoftmaxLoss'),
        balanced_note(facts, 'nearly cross-entropy'),
    )


@method(
    'logit-adjusted',
    _SCOPE,
    'cross-entropy with scores shifted by tau times the log class counts',
    'Long-Tail Learning via Logit Adjustment, Menon et al., ICLR 2021, '
    'https://arxiv.org/abs/2007.07314',
    {'tau': f'{_LOSS}.tau'},
)
def logit_adjusted(cfg: Config, facts: Facts, options: Options) -> Plan:
    """Put the logit-adjusted loss into the head of the config."""
    tau = options.given.get('tau', 1.0)
    decisions = balanced_note(facts, 'nearly cross-entropy')
    if tau == 1:
        decisions.append(
            'tau is 1, as in the paper, with which this is Balanced Softmax.'
        )
    loss = dict(type='mmpaco.BalancedSoftmaxLoss', tau=tau)
    return loss_plan(cfg, classifier_of(cfg), loss, decisions)


@method(
    'focal',
    _SCOPE,
    'a sigmoid for each class, with less loss for what is right already',
    'Focal Loss, Lin et al., ICCV 2017, https://arxiv.org/abs/1708.02002',
    {'gamma': f'{_LOSS}.gamma'},
)
def focal(cfg: Config, facts: Facts, options: Options) -> Plan:
    """Put the focal loss of sigmoids into the head, without class weights."""
    decisions = [
        'gamma is as given.'
        if 'gamma' in options.given
        else "gamma is 1, as in the scripts of Class-Balanced Loss's release; "
        'the papers do not name that of their Focal Loss.'
    ]
    return _sigmoid_plan(cfg, decisions, beta=0.0)


@method(
    'cb-focal',
    _SCOPE,
    'the focal loss of sigmoids, weighted by the effective number of images',
    'Class-Balanced Loss, Cui et al., CVPR 2019, '
    'https://arxiv.org/abs/1901.05555',
    {'beta': f'{_LOSS}.beta', 'gamma': f'{_LOSS}.gamma'},
)
def cb_focal(cfg: Config, facts: Facts, options: Options) -> Plan:
    """Put the class-balanced focal loss of sigmoids into the head."""
    decisions = balanced_note(facts, 'the focal loss, without class weights')
    if not {'beta', 'gamma'} & {*options.given}:
        decisions.append(
            'beta is 0.9999 and gamma 1, as in the scripts of the release for '
            'CIFAR; those for iNaturalist and ImageNet have 0.999 and 0.5 '
            '(--set beta=0.999 gamma=0.5).'
        )
    return _sigmoid_plan(cfg, decisions, beta=0.9999)


def _sigmoid_plan(cfg: Config, decisions: list[str], beta: float) -> Plan:
    """Plan a focal loss of sigmoids, and where their bias begins."""
    classifier = classifier_of(cfg)
    loss = dict(
        type='mmpaco.ClassBalancedLoss',
        kind='sigmoid_focal',
        beta=beta,
        gamma=1.0,
    )
    kind, head = type_name(classifier.head), {}
    is_linear = kind == 'LinearClsHead' and classifier.num_classes > 2
    if is_linear:
        bias = round(-math.log(classifier.num_classes - 1), 6)
        head['init_cfg'] = dict(
            _delete_=True, type='Normal', layer='Linear', std=0.01, bias=bias
        )
        decisions.append(
            f'The bias of the classifier begins at -log(C - 1) = {bias:.2f}, '
            'so that sigmoids begin at 1 / C, and does not decay.'
        )
    elif classifier.num_classes > 2:
        decisions.append(
            'The bias of the classifier begins where the config has it, and '
            f'not at -log(C - 1), which is for a LinearClsHead and not {kind}.'
        )
    plan = loss_plan(
        cfg, classifier, loss, decisions, head, is_counted=beta > 0
    )
    if is_linear:
        plan.settings['optim_wrapper'] = dict(
            paramwise_cfg=dict(custom_keys={_BIAS: _without_decay(cfg)})
        )
    return plan


def _without_decay(cfg: Config) -> dict[str, Any]:
    """Give the bias its rate of before, and no decay.

    A key of its own is all that mmengine takes notice of.
    """
    options = (cfg.get('optim_wrapper') or {}).get('paramwise_cfg') or {}
    keys = options.get('custom_keys') or {}
    matching = sorted((key for key in keys if key in _BIAS), key=len)
    if matching:
        return dict(keys[matching[-1]], decay_mult=0.0)
    rate = options.get('bias_lr_mult')
    return dict(() if rate is None else [('lr_mult', rate)], decay_mult=0.0)
