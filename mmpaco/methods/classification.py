"""Methods for configs of mmpretrain."""

from __future__ import annotations

from typing import Any, Optional

from mmengine.config import Config

from .base import Facts, Options, Plan, method
from .contrast import contrast_of, is_balanced
from .stock_classifiers import (
    Classifier,
    check_linear,
    classifier_of,
    missing_pooling,
)
from .training_data import type_name
from .views import own_views, papers_views

_SCOPE = 'mmpretrain'
_HEAD = 'model.head'
_LOSS = 'model.head.loss'
# Losses of a linear classifier that are a cross-entropy.
_CROSS_ENTROPIES = ('', 'CrossEntropyLoss', 'LabelSmoothLoss')

_TEMPERATURE = {'temperature': f'{_LOSS}.temperature'}
_HEAD_PARAMETERS = {
    'queue_length': f'{_HEAD}.queue_length',
    'gather': f'{_HEAD}.gather',
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
    if loss in _CROSS_ENTROPIES:
        decisions.append(
            f'The loss of the config, {loss or "CrossEntropyLoss"}, is a '
            'cross-entropy and stays, with all else.'
        )
        if '_delete_' in head:
            decisions += _unmix_decisions(classifier)
    else:
        head['loss'] = dict(_delete_=True, type='CrossEntropyLoss')
        decisions.append(f'{loss} gives way to CrossEntropyLoss.')
    settings = dict(model=dict(head=head)) if head else {}
    if '_delete_' in head:
        _unmix(settings, classifier)
    _add_shots(settings, cfg, decisions)
    return Plan(settings, decisions)


@method(
    'balanced-softmax',
    _SCOPE,
    'cross-entropy with scores shifted by the log of the class counts',
    'Balanced Meta-Softmax, Ren et al., NeurIPS 2020, '
    'https://arxiv.org/abs/2007.10740',
)
def balanced_softmax(cfg: Config, facts: Facts, options: Options) -> Plan:
    """Put Balanced Softmax into the head of the config."""
    classifier = classifier_of(cfg)
    head = {
        **classifier.head_changes,
        'loss': dict(
            _delete_=True,
            type='mmpaco.BalancedSoftmaxLoss',
            num_classes=classifier.num_classes,
        ),
    }
    settings: dict[str, Any] = dict(model=dict(head=head))
    decisions = [
        *classifier.notes,
        'mmpaco.ClassPriorHook counts the training images of each class when '
        'training begins.',
    ]
    if is_balanced(facts):
        decisions.append(
            'The classes have about as many images each, so this is nearly '
            'cross-entropy.'
        )
    if classifier.label_smoothing:
        decisions.append(
            'The label smoothing of the config goes: Balanced Softmax has '
            'none.'
        )
    decisions += _unmix_decisions(classifier)
    _unmix(settings, classifier)
    _add_hooks(settings, cfg, 'mmpaco.ClassPriorHook')
    _add_shots(settings, cfg, decisions)
    return Plan(settings, decisions)


@method(
    'gpaco',
    _SCOPE,
    'generalised parametric contrast of two views with one encoder',
    'Generalized Parametric Contrastive Learning, Cui et al., TPAMI 2023, '
    'https://arxiv.org/abs/2209.12400',
    _PACO_PARAMETERS,
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
    plan = _contrast(cfg, facts, options, classifier, loss)
    plan.decisions.append(_prior_decision(facts, 'The classification loss'))
    hooks = [] if balanced else ['mmpaco.ClassPriorHook']
    _add_hooks(plan.settings, cfg, *hooks, 'mmpaco.PaCoQueueHook')
    _add_shots(plan.settings, cfg, plan.decisions)
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
    plan = _contrast(
        cfg, facts, options, classifier, loss, dict(cal_acc=False)
    )
    _add_hooks(plan.settings, cfg, 'mmpaco.PaCoQueueHook')
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
    plan.second_stage = _probe(cfg, options, classifier)
    return plan


def _probe(cfg: Config, options: Options, classifier: Classifier) -> Plan:
    """The second stage of SupCon."""
    train = cfg.get('train_cfg') or {}
    last = (
        f'epoch_{train["max_epochs"]}'
        if train.get('max_epochs')
        else f'iter_{train.get("max_iters", 0)}'
    )
    checkpoint = f'{options.work_dir}/{last}.pth'
    model: dict[str, Any] = dict(
        type='mmpaco.LinearProbeClassifier',
        pretrained=checkpoint,
    )
    if classifier.head_changes:
        model['head'] = dict(classifier.head_changes)
    settings: dict[str, Any] = dict(model=model)
    decisions = [
        'The second stage trains the head on the frozen network of the '
        f'first, whose checkpoint it expects at {checkpoint} '
        '(model.pretrained).',
    ]
    if '_delete_' in classifier.head_changes:
        _unmix(settings, classifier)
    _add_shots(settings, cfg, decisions)
    return Plan(settings, decisions)


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
    plan = _contrast(cfg, facts, options, classifier, loss, head, model)
    plan.comments['model'] = contrast.comment
    plan.decisions += [
        contrast.alpha_decision,
        f'class_prior is {has_prior}, as given.'
        if 'class_prior' in options.given
        else _prior_decision(facts, 'The loss'),
    ]
    hooks = ['mmpaco.ClassPriorHook'] if has_prior else []
    _add_hooks(plan.settings, cfg, *hooks, 'mmpaco.PaCoQueueHook')
    _add_shots(plan.settings, cfg, plan.decisions)
    return plan


def _contrast(
    cfg: Config,
    facts: Facts,
    options: Options,
    classifier: Classifier,
    loss: dict[str, Any],
    head: Optional[dict[str, Any]] = None,
    model: Optional[dict[str, Any]] = None,
) -> Plan:
    """What all methods have that contrast two views."""
    check_linear(classifier, cfg)
    contrast = contrast_of(cfg, facts, options)
    dataset = cfg.train_dataloader.dataset
    views = (
        own_views(dataset) if options.views == 'own' else papers_views(dataset)
    )
    model = dict(type='mmpaco.PaCoClassifier', **(model or {}))
    decisions = [*classifier.notes, views.decision]
    if missing_pooling(cfg):
        model['neck'] = dict(_delete_=True, type='GlobalAveragePooling')
        decisions.append(
            'The backbone gives maps that nothing pools, so '
            'GlobalAveragePooling comes after it.'
        )
    settings: dict[str, Any] = dict(model=model)
    decisions += _unmix_decisions(classifier)
    _unmix(settings, classifier, type='mmpaco.MultiViewDataPreprocessor')
    model['head'] = {
        **_head(classifier),
        'queue_length': contrast.queue_length,
        **(head or {}),
        'loss': dict(_delete_=True, **loss),
    }
    settings['train_dataloader'] = dict(dataset=views.settings)
    if classifier.label_smoothing and 'label_smoothing' in loss:
        decisions.append(
            f'The label smoothing of the config, {loss["label_smoothing"]}, '
            'stays.'
        )
    decisions.append(contrast.queue_decision)
    comments = dict(train_dataloader=views.comment)
    return Plan(settings, decisions, comments, bases=views.bases)


def _head(classifier: Classifier) -> dict[str, Any]:
    """Put GPaCo's head in the place of a linear one, or around another."""
    stock = {**classifier.head, **classifier.head_changes}
    is_replaced = stock.pop('_delete_', False)
    if type_name(stock) == 'LinearClsHead' and not stock.get('init_cfg'):
        changes = dict(classifier.head_changes) if is_replaced else {}
        return {**changes, 'type': 'mmpaco.GPaCoHead'}
    return dict(_delete_=True, type='mmpaco.GPaCoStockHead', stock_head=stock)


def _unmix(
    settings: dict[str, Any], classifier: Classifier, **changes: Any
) -> None:
    """Take mixed and one-hot labels out of a config."""
    *above, name = classifier.preprocessor
    place = settings
    if 'train_cfg' in classifier.mixing:
        settings.setdefault('model', {})['train_cfg'] = None
    for key, off in (('batch_augments', None), ('to_onehot', False)):
        if key in classifier.mixing:
            changes[key] = off
    for key in above:
        place = place.setdefault(key, {})
    if changes:
        place[name] = changes


def _unmix_decisions(classifier: Classifier) -> list[str]:
    if not classifier.mixing:
        return []
    return [
        'Mixup, CutMix and one-hot labels go: the loss needs one class for '
        'each image.'
    ]


def _prior_decision(facts: Facts, what: str) -> str:
    balanced = is_balanced(facts)
    if balanced is None:
        return (
            f'{what} is told the class counts, which mmpaco.ClassPriorHook '
            'reads when training begins; that is for long-tailed data, and '
            'balanced data need none.'
        )
    if balanced:
        return (
            f'{what} is told no class counts, since the classes have about '
            'as many images each.'
        )
    return (
        f'{what} is told the class counts, since the classes have '
        f'{max(facts.class_counts or ()):g} to '
        f'{min(facts.class_counts or ()):g} images.'
    )


def _add_hooks(settings: dict[str, Any], cfg: Config, *types: str) -> None:
    """Add hooks to those of the base."""
    there = list(cfg.get('custom_hooks') or [])
    names = {str(hook.get('type')) for hook in there}
    settings['custom_hooks'] = there + [
        dict(type=name) for name in types if name not in names
    ]


def _add_shots(
    settings: dict[str, Any], cfg: Config, decisions: list[str]
) -> None:
    """Measure many, medium and few shots beside what is measured."""
    dataset = cfg.train_dataloader.dataset
    added = False
    for key in ('val_evaluator', 'test_evaluator'):
        there = cfg.get(key)
        if not there:
            continue
        metrics = list(there) if isinstance(there, (list, tuple)) else [there]
        if any(type_name(x) == 'ShotAccuracy' for x in metrics):
            continue
        if any(type_name(x) == 'Evaluator' for x in metrics):
            continue
        shots = dict(type='mmpaco.ShotAccuracy', train_dataset=dataset)
        settings[key] = [*metrics, shots]
        added = True
    if added:
        decisions.append(
            'mmpaco.ShotAccuracy stands beside the evaluator of the config.'
        )
