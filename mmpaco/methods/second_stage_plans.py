"""Plans of a second stage, which trains a head on a frozen network."""

from __future__ import annotations

import math
from typing import Any, Optional

from mmengine.config import Config

from .base import Options, Plan, Refusal
from .classifier_settings import (
    CROSS_ENTROPIES,
    add_shots,
    switch_recipes,
    unmix,
    unmix_decisions,
)
from .settings import STAGE2, merged
from .stock_classifiers import Classifier, check_head, classifier_of
from .training_data import as_list, type_name

__all__ = ['balanced_stage', 'second_stage']

_PRETRAINED = 'model.pretrained'


def second_stage(
    cfg: Config,
    options: Options,
    classifier: Classifier,
    head: dict[str, Any],
) -> Plan:
    """Plan a head on the network of the first stage, which is frozen.

    Args:
        cfg (Config): The config of the first stage, without its method.
        options (Options): As of a method.
        classifier (Classifier): What the config trains.
        head (dict): What changes in its head.

    Returns:
        Plan: Model and evaluators, and images that are not mixed. All else is
        that of the config.
    """
    given = options.given
    unit, length = _length(cfg, options)
    folder = given.get('work_dir', options.work_dir)
    last = f'{folder}/{unit[:-1]}_{length or 0}.pth'
    # Where the first stage has one, too, a value for it is of that alone.
    is_first = 'pretrained' in cfg.model or not given.get(_PRETRAINED, last)
    key = STAGE2 + _PRETRAINED if is_first else _PRETRAINED
    checkpoint = given.get(STAGE2 + _PRETRAINED, given.get(key, last))
    model: dict[str, Any] = dict(
        type='mmpaco.LinearProbeClassifier',
        pretrained=checkpoint,
    )
    if head:
        model['head'] = head
    settings: dict[str, Any] = dict(model=model)
    if cfg.get('load_from'):
        # The runner would load it over the network of the first stage.
        settings['load_from'] = None
    decisions = [
        'The second stage trains the head on the frozen network of the '
        f'first, whose checkpoint it expects at {checkpoint} ({key}).',
    ]
    _unmix_stage(settings, cfg, classifier, head, decisions)
    add_shots(settings, cfg, decisions, classifier.num_classes)
    own = (_PRETRAINED,) if is_first else ()
    return Plan(settings, decisions, own=own)


def _unmix_stage(
    settings: dict[str, Any],
    cfg: Config,
    classifier: Classifier,
    head: dict[str, Any],
    decisions: list[str],
) -> None:
    """Mix no images in a second stage, with labels that its loss takes."""
    switch_recipes(settings, cfg, decisions)
    loss = merged(cfg.model.head, head).get('loss') or {}
    is_stock = type_name(loss) in CROSS_ENTROPIES
    if {'train_cfg', 'batch_augments'} & {*classifier.mixing}:
        decisions.append(
            'Mixup and CutMix go: the releases mix no images in the second '
            'stage.'
        )
    elif is_stock and '_delete_' not in classifier.head_changes:
        return
    else:
        decisions += unmix_decisions(classifier)
    # These take a score for each class, which is one-hot then.
    needs_scores = loss.get('use_soft') or loss.get('use_sigmoid')
    labels = dict(to_onehot=True, num_classes=classifier.num_classes)
    unmix(settings, classifier, **(labels if needs_scores else {}))


def balanced_stage(
    cfg: Config,
    options: Options,
    head: dict[str, Any],
    part: int,
    source: str,
    model: dict[str, Any],
    what: str,
) -> Plan:
    """Plan a second stage on class-balanced batches.

    Args:
        cfg (Config): The config.
        options (Options): As of a method.
        head (dict): What changes in its head.
        part (int): How many times shorter than the first stage it is.
        source (str): Where that is from.
        model (dict): What else the model is told.
        what (str): What is trained, a sentence without its end.

    Returns:
        Plan: Model, sampler, length and rate, and evaluators.

    Raises:
        Refusal: If the classifier is not in the head, or a length is given
            that cannot be.
    """
    classifier = classifier_of(cfg)
    check_head(classifier, cfg)
    plan = second_stage(cfg, options, classifier, head)
    plan.settings['model'].update(moving_statistics=True, **model)
    settings = plan.settings
    settings['train_dataloader'] = dict(
        sampler=dict(
            _delete_=True,
            type='mmpaco.ClassPowerSampler',
            power=0,
            in_a_row=4,
        )
    )
    unit, length = _length(cfg, options)
    shorter = max(1, math.ceil((length or 1) / part))
    by_epoch = unit == 'epochs'
    key = 'stage2_epochs' if by_epoch else f'{STAGE2}train_cfg.max_iters'
    _check_length(key, options)
    shorter = options.given.get(key, shorter)
    settings['train_cfg'] = {f'max_{unit}': shorter}
    settings['param_scheduler'] = [
        dict(
            type='CosineAnnealingLR',
            T_max=shorter,
            begin=0,
            end=shorter,
            by_epoch=by_epoch,
        )
    ]
    _average_at_once(settings, cfg, plan.decisions)
    plan.own += (f'train_cfg.max_{unit}',)
    plan.decisions += [
        f'{what}. The weights of the network are frozen, and its batch norm '
        'follows the batches, as in the release.',
        'The batches are class-balanced, with 4 images of a class in a row '
        '(mmpaco.ClassPowerSampler, in_a_row).',
        f'The second stage takes {shorter} '
        + ('epoch' if by_epoch else 'iteration')
        + ('s, ' if shorter > 1 else ', ')
        + (
            'as given'
            if key in options.given
            else f'1/{part} of those of the first, rounded up, {source}'
        )
        + '; '
        + (
            'its rate stays that of the config, since it moves by epochs '
            '(stage2_epochs)'
            if by_epoch and shorter == 1
            else 'its rate goes from that of the config to 0 on a cosine, '
            'without a warm-up'
        )
        + '.',
    ]
    return plan


def _length(cfg: Config, options: Options) -> tuple[str, Optional[int]]:
    """Tell how long the first stage is: in epochs, or in iterations."""
    train, given = cfg.get('train_cfg') or {}, options.given
    epochs, iterations = (
        given.get(f'train_cfg.{key}', train.get(key))
        for key in ('max_epochs', 'max_iters')
    )
    return ('epochs', epochs) if epochs else ('iters', iterations)


def _average_at_once(
    settings: dict[str, Any], cfg: Config, decisions: list[str]
) -> None:
    """Let an average of the weights begin with the second stage.

    mmengine raises where it would begin after the end.
    """
    hooks, begins = (
        as_list(settings.get('custom_hooks', cfg.get('custom_hooks'))),
        ('begin_epoch', 'begin_iter'),
    )
    late = [
        type_name(x) == 'EMAHook' and any(x.get(key) for key in begins)
        for x in hooks
    ]
    if not any(late):
        return
    settings['custom_hooks'] = [
        {k: v for k, v in hook.items() if k not in begins} if is_late else hook
        for hook, is_late in zip(hooks, late)
    ]
    decisions.append('EMAHook averages from the start of the second stage on.')


def _check_length(key: str, options: Options) -> None:
    """Refuse a length that a second stage cannot have."""
    if key != 'stage2_epochs' and 'stage2_epochs' in options.given:
        raise Refusal(
            'stage2_epochs is for a config that counts epochs, and this one '
            f'counts iterations; give {key}'
        )
    length = options.given.get(key, 1)
    if isinstance(length, bool) or not isinstance(length, int) or length < 1:
        raise Refusal(
            f'{key} must be an integer, 1 at least, but got {length!r}'
        )
