"""Settings that several methods of classification have in common."""

from __future__ import annotations

from typing import Any, Optional

from mmengine.config import Config

from .base import Facts, Options, Plan
from .contrast import contrast_of, is_balanced
from .stock_classifiers import Classifier, check_linear, missing_pooling
from .training_data import as_list, leaf_datasets, type_name
from .views import own_views, papers_views

__all__ = [
    'CROSS_ENTROPIES',
    'add_pooling',
    'add_shots',
    'loss_decisions',
    'prior_decision',
    'switch_recipes',
    'two_view_plan',
    'unmix',
    'unmix_decisions',
]

# Losses of a linear classifier that are a cross-entropy.
CROSS_ENTROPIES = ('', 'CrossEntropyLoss', 'LabelSmoothLoss')


def two_view_plan(
    cfg: Config,
    facts: Facts,
    options: Options,
    classifier: Classifier,
    loss: dict[str, Any],
    head: Optional[dict[str, Any]] = None,
    model: Optional[dict[str, Any]] = None,
) -> Plan:
    """Plan what all methods have that contrast two views.

    Args:
        cfg (Config): The config.
        facts (Facts): As of a method.
        options (Options): As of a method.
        classifier (Classifier): What the config trains.
        loss (dict): The contrastive loss.
        head (dict, optional): What else the head is told. Defaults to none.
        model (dict, optional): What else the model is told. Defaults to
            none.

    Returns:
        Plan: Model, preprocessor and views; hooks and evaluators are to be
        added.

    Raises:
        Refusal: If the head has no linear classifier, or a pipeline cannot
            be split.
    """
    check_linear(classifier, cfg)
    contrast = contrast_of(cfg, facts, options)
    dataset = cfg.train_dataloader.dataset
    views = (
        own_views(dataset) if options.views == 'own' else papers_views(dataset)
    )
    model = dict(type='mmpaco.PaCoClassifier', **(model or {}))
    decisions = [*classifier.notes, views.decision]
    add_pooling(model, cfg, decisions)
    settings: dict[str, Any] = dict(model=model)
    decisions += unmix_decisions(classifier) + loss_decisions(classifier)
    unmix(settings, classifier, type='mmpaco.MultiViewDataPreprocessor')
    model['head'] = {
        **_head(classifier),
        'queue_length': contrast.queue_length,
        **(head or {}),
        'loss': dict(_delete_=True, **loss),
    }
    settings['train_dataloader'] = dict(dataset=views.settings)
    switch_recipes(settings, cfg, decisions, options.views)
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


def add_pooling(
    model: dict[str, Any], cfg: Config, decisions: list[str]
) -> None:
    """Pool the maps of a backbone, if nothing does.

    Args:
        model (dict): What changes in the model, of which the neck is set.
        cfg (Config): The config.
        decisions (list[str]): To which it is added what was done.
    """
    if missing_pooling(cfg):
        model['neck'] = dict(_delete_=True, type='GlobalAveragePooling')
        decisions.append(
            'The backbone gives maps that nothing pools, so '
            'GlobalAveragePooling comes after it.'
        )


def switch_recipes(
    settings: dict[str, Any],
    cfg: Config,
    decisions: list[str],
    views: Optional[str] = None,
) -> None:
    """Keep a method where mmpretrain's ``SwitchRecipeHook`` would end it.

    Args:
        settings (dict): What changes, of which the hooks are set.
        cfg (Config): The config.
        decisions (list[str]): To which it is added what was done.
        views (str, optional): Whose views the pipelines of its recipes make.
            Defaults to None: they stay.
    """
    hooks = as_list(settings.get('custom_hooks', cfg.get('custom_hooks')))
    if 'SwitchRecipeHook' not in map(type_name, hooks):
        return
    leaf = next(leaf_datasets(cfg.train_dataloader.dataset))

    def kept(recipe: dict[str, Any]) -> dict[str, Any]:
        recipe = dict(recipe)
        for key in ('loss', 'batch_augments'):
            recipe.pop(key, None)
        if views is not None and recipe.get('train_pipeline'):
            dataset = dict(leaf, pipeline=recipe['train_pipeline'])
            make = own_views if views == 'own' else papers_views
            recipe['train_pipeline'] = make(dataset).settings['pipeline']
        return recipe

    settings['custom_hooks'] = [
        dict(hook, schedule=[kept(x) for x in hook.get('schedule') or ()])
        if type_name(hook) == 'SwitchRecipeHook'
        else hook
        for hook in hooks
    ]
    decisions.append(
        'SwitchRecipeHook keeps the loss of the method and unmixed labels'
        + (', and its pipelines make two views.' if views else '.')
    )


def unmix(
    settings: dict[str, Any], classifier: Classifier, **changes: Any
) -> None:
    """Take mixed and one-hot labels out of a config."""
    *above, name = classifier.preprocessor
    place = settings
    if 'train_cfg' in classifier.mixing:
        settings.setdefault('model', {})['train_cfg'] = None
    for key, off in (('batch_augments', None), ('to_onehot', False)):
        if key in classifier.mixing:
            changes.setdefault(key, off)
    for key in above:
        place = place.setdefault(key, {})
    if changes:
        place[name] = changes


def unmix_decisions(classifier: Classifier) -> list[str]:
    """Say what :func:`unmix` does, if anything."""
    if not classifier.mixing:
        return []
    return [
        'Mixup, CutMix and one-hot labels go: the loss needs one class for '
        'each image.'
    ]


def loss_decisions(classifier: Classifier) -> list[str]:
    """Say what goes with the loss of a config, unless it is plain."""
    loss = classifier.head.get('loss') or {}
    lost = [
        key
        for key in ('class_weight', 'loss_weight', 'pos_weight', 'use_sigmoid')
        if loss.get(key) not in (None, False, 1)
    ]
    if not lost and type_name(loss) in CROSS_ENTROPIES:
        return []
    return [
        f'{type_name(loss)} gives way to the loss of the method'
        + (f', and its {", ".join(lost)} with it.' if lost else '.')
    ]


def prior_decision(facts: Facts, what: str) -> str:
    """Say whether a loss is told the class counts, and why."""
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


def add_shots(
    settings: dict[str, Any],
    cfg: Config,
    decisions: list[str],
    num_classes: int,
) -> None:
    """Measure many, medium and few shots beside what is measured.

    A top k of more classes than there are, which would end the first
    validation, is left out.

    Args:
        settings (dict): What changes, of which the evaluators are set.
        cfg (Config): The config.
        decisions (list[str]): To which it is added what was done.
        num_classes (int): The class count C.
    """
    dataset = cfg.train_dataloader.dataset
    added = lowered = False
    for key in ('val_evaluator', 'test_evaluator'):
        there = cfg.get(key)
        if not there:
            continue
        metrics = list(there) if isinstance(there, (list, tuple)) else [there]
        if any(type_name(x) == 'Evaluator' for x in metrics):
            continue
        fitting = [_possible(metric, num_classes) for metric in metrics]
        lowered |= fitting != metrics
        if not any(type_name(x) == 'ShotAccuracy' for x in metrics):
            shots = dict(type='mmpaco.ShotAccuracy', train_dataset=dataset)
            fitting.append(shots)
            added = True
        if fitting != metrics:
            settings[key] = fitting
    if added:
        decisions.append(
            'mmpaco.ShotAccuracy stands beside the evaluator of the config.'
        )
    if lowered:
        decisions.append(
            f'The top k of more than {num_classes} classes goes from the '
            'evaluator.'
        )


def _possible(metric: dict[str, Any], num_classes: int) -> dict[str, Any]:
    top = metric.get('topk', 1)
    wanted = (top,) if isinstance(top, int) else tuple(top)
    possible = tuple(x for x in wanted if x <= num_classes)
    if type_name(metric) != 'Accuracy' or possible == wanted:
        return metric
    return {**metric, 'topk': possible or (1,)}
