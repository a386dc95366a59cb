"""Methods for configs of mmpretrain: cross-entropy, and those of contrast."""

from __future__ import annotations

from typing import Any, Optional

from mmengine.config import Config

from .base import Facts, Options, Plan, method
from .classifier_settings import (
    CROSS_ENTROPIES,
    add_shots,
    prior_decision,
    two_view_plan,
    unmix,
    unmix_decisions,
)
from .contrast import contrast_of, is_balanced
from .second_stage_plans import second_stage
from .settings import add_hooks
from .stock_classifiers import classifier_of
from .training_data import type_name

_SCOPE = 'mmpretrain'
_HEAD = 'model.head'
_LOSS = 'model.head.loss'

_TEMPERATURE = {'temperature': f'{_LOSS}.temperature'}
_HEAD_PARAMETERS = {
    'queue_length': f'{_HEAD}.queue_length',
    'gather': f'{_HEAD}.gather',
    'projector_norm': f'{_HEAD}.projector.norm_cfg.type',
}
_PACO_PARAMETERS = {
    'alpha': f'{_LOSS}.alpha',
    **_TEMPERATURE,
    'label_smoothing': f'{_LOSS}.label_smoothing',
    'class_prior': f'{_HEAD}.class_prior',
    **_HEAD_PARAMETERS,
}


@method(
    'cross-entropy',
    _SCOPE,
    'the classifier by cross-entropy, the baseline of all',
    'the config itself, with the accuracy of many, medium and few shots',
)
def cross_entropy(cfg: Config, facts: Facts, options: Options) -> Plan:
    """Train the classifier as it is, if its loss is a cross-entropy."""
    classifier = classifier_of(cfg)
    loss = type_name(classifier.head.get('loss'))
    head = dict(classifier.head_changes)
    decisions = list(classifier.notes)
    if loss in CROSS_ENTROPIES:
        decisions.append(
            f'The loss of the config, {loss or "CrossEntropyLoss"}, is a '
            'cross-entropy and stays, with all else.'
        )
        if '_delete_' in head:
            decisions += unmix_decisions(classifier)
    else:
        head['loss'] = dict(_delete_=True, type='CrossEntropyLoss')
        decisions.append(f'{loss} gives way to CrossEntropyLoss.')
    settings = dict(model=dict(head=head)) if head else {}
    if '_delete_' in head:
        unmix(settings, classifier)
    add_shots(settings, cfg, decisions, classifier.num_classes)
    return Plan(settings, decisions)


@method(
    'gpaco',
    _SCOPE,
    'generalised parametric contrast of two views with one encoder',
    'Generalized Parametric Contrastive Learning, Cui et al., TPAMI 2023, '
    'https://arxiv.org/abs/2209.12400',
    # Also in the stock one, whose batch norm sees both views at once.
    {**_PACO_PARAMETERS, 'classifier': 'model.type'},
)
def gpaco(cfg: Config, facts: Facts, options: Options) -> Plan:
    """Put GPaCo on a classifier."""
    return _parametric(cfg, facts, options)


@method(
    'paco',
    _SCOPE,
    'parametric contrast of a view with the keys of a momentum encoder',
    'Parametric Contrastive Learning, Cui et al., ICCV 2021, '
    'https://arxiv.org/abs/2107.12028',
    {**_PACO_PARAMETERS, 'momentum': 'model.momentum'},
)
def paco(cfg: Config, facts: Facts, options: Options) -> Plan:
    """Put PaCo on a classifier: a momentum encoder, a smaller projector."""
    return _parametric(
        cfg,
        facts,
        options,
        model=dict(momentum=0.999),
        head=dict(projector=dict(num_layers=2, norm_cfg=dict(type='BN1d'))),
    )


@method(
    'multi-task',
    _SCOPE,
    'Balanced Softmax and supervised contrast side by side',
    'the baseline of Generalized Parametric Contrastive Learning, Cui et '
    'al., TPAMI 2023, https://arxiv.org/abs/2209.12400',
    {
        **_TEMPERATURE,
        'supcon_weight': f'{_LOSS}.supcon_weight',
        'balanced': f'{_LOSS}.balanced',
        'reweight': f'{_LOSS}.reweight',
        'label_smoothing': f'{_LOSS}.label_smoothing',
        **_HEAD_PARAMETERS,
    },
)
def multi_task(cfg: Config, facts: Facts, options: Options) -> Plan:
    """Put the multi-task loss on a classifier."""
    classifier = classifier_of(cfg)
    balanced = is_balanced(facts)
    loss: dict[str, Any] = dict(
        type='mmpaco.MultiTaskLoss', supcon_weight=0.5, temperature=0.2
    )
    if balanced:
        loss['balanced'] = False
    if classifier.label_smoothing:
        loss['label_smoothing'] = classifier.label_smoothing
    plan = two_view_plan(cfg, facts, options, classifier, loss)
    plan.decisions.append(prior_decision(facts, 'The classification loss'))
    hooks = [] if balanced else ['mmpaco.ClassPriorHook']
    add_hooks(plan.settings, cfg, *hooks, 'mmpaco.PaCoQueueHook')
    add_shots(plan.settings, cfg, plan.decisions, classifier.num_classes)
    return plan


@method(
    'supcon',
    _SCOPE,
    'supervised contrast, then a linear classifier on the frozen network',
    'Supervised Contrastive Learning, Khosla et al., NeurIPS 2020, '
    'https://arxiv.org/abs/2004.11362',
    {**_TEMPERATURE, **_HEAD_PARAMETERS},
)
def supcon(cfg: Config, facts: Facts, options: Options) -> Plan:
    """Train the network by SupCon, and a classifier in a second stage."""
    classifier = classifier_of(cfg)
    loss = dict(type='mmpaco.SupConLoss', temperature=0.2)
    plan = two_view_plan(
        cfg, facts, options, classifier, loss, dict(cal_acc=False)
    )
    add_hooks(plan.settings, cfg, 'mmpaco.PaCoQueueHook')
    for part in ('val', 'test'):
        for kind in ('dataloader', 'evaluator', 'cfg'):
            if cfg.get(f'{part}_{kind}') is not None:
                plan.settings[f'{part}_{kind}'] = None
    hooks = cfg.get('default_hooks') or {}
    if (hooks.get('checkpoint') or {}).get('save_best'):
        plan.settings['default_hooks'] = dict(checkpoint=dict(save_best=None))
    plan.decisions.append(
        'The first stage trains no classifier, so it has nothing to validate '
        'and to test.'
    )
    plan.second_stage = second_stage(
        cfg, options, classifier, dict(classifier.head_changes)
    )
    return plan


def _parametric(
    cfg: Config,
    facts: Facts,
    options: Options,
    model: Optional[dict[str, Any]] = None,
    head: Optional[dict[str, Any]] = None,
) -> Plan:
    """PaCo's loss, with what else a method says of model and head."""
    classifier = classifier_of(cfg)
    contrast = contrast_of(cfg, facts, options)
    loss: dict[str, Any] = dict(
        type='mmpaco.PaCoLoss', alpha=contrast.alpha, temperature=0.2
    )
    if classifier.label_smoothing:
        loss['label_smoothing'] = classifier.label_smoothing
    has_prior = options.given.get('class_prior', not is_balanced(facts))
    head = (
        dict(head or {}) if has_prior else dict(head or {}, class_prior=False)
    )
    plan = two_view_plan(cfg, facts, options, classifier, loss, head, model)
    plan.comments['model'] = contrast.comment
    plan.decisions += [
        contrast.alpha_decision,
        f'class_prior is {has_prior}, as given.'
        if 'class_prior' in options.given
        else prior_decision(facts, 'The loss'),
    ]
    hooks = ['mmpaco.ClassPriorHook'] if has_prior else []
    add_hooks(plan.settings, cfg, *hooks, 'mmpaco.PaCoQueueHook')
    add_shots(plan.settings, cfg, plan.decisions, classifier.num_classes)
    return plan
