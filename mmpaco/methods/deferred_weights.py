"""Methods of mmpretrain that weight the classes from an epoch on."""

from __future__ import annotations

from typing import Any

from mmengine.config import Config

from .base import Facts, Options, Plan, Refusal, method
from .classifier_losses import balanced_note, loss_plan
from .stock_classifiers import check_stock_linear, classifier_of

_SCOPE = 'mmpretrain'
_HEAD = 'model.head'
_LOSS = 'model.head.loss'
# Where it has a dotted key, which in a list of hooks it has not.
REWEIGHTING_EPOCH = 'default_hooks.reweighting.epoch'


@method(
    'ldam-drw',
    _SCOPE,
    'cosines with a margin for rare classes, and class weights at the end',
    'LDAM-DRW, Cao et al., NeurIPS 2019, https://arxiv.org/abs/1906.07413',
    {
        'max_margin': f'{_LOSS}.max_margin',
        'scale': f'{_HEAD}.scale',
        'beta': f'{_LOSS}.beta',
        'reweighting_epoch': REWEIGHTING_EPOCH,
    },
)
def ldam_drw(cfg: Config, facts: Facts, options: Options) -> Plan:
    """Put cosines, margins and deferred weights on a linear classifier."""
    classifier = classifier_of(cfg)
    check_stock_linear(
        classifier,
        'the cosines of ldam-drw take the place',
        'a method that is a loss alone: cb-focal, logit-adjusted or '
        'balanced-softmax',
    )
    hooks, decision = deferred_weights(cfg, options, 'ldam-drw')
    scale = options.given.get('scale', 30.0)
    plan = loss_plan(
        cfg,
        classifier,
        dict(type='mmpaco.LDAMLoss', max_margin=0.5, scale=scale, beta=0.9999),
        [
            *balanced_note(facts, 'one margin for all, without weights'),
            'mmpaco.CosineClsHead takes the place of LinearClsHead: its '
            f'scores are cosines times {scale:g}, without a bias.',
            decision,
        ],
        dict(type='mmpaco.CosineClsHead', scale=scale),
    )
    plan.settings['default_hooks'] = hooks
    return plan


def deferred_weights(
    cfg: Config, options: Options, name: str
) -> tuple[dict[str, Any], str]:
    """Decide from which epoch on classes are weighted, and say why.

    Args:
        cfg (Config): The config.
        options (Options): As of a method.
        name (str): The method, which has the parameter ``reweighting_epoch``
            at :data:`REWEIGHTING_EPOCH`.

    Returns:
        tuple[dict, str]: What changes in ``default_hooks``, and the decision.

    Raises:
        Refusal: If there are no weights, or the config counts iterations.
    """
    if options.given.get('beta') == 0:
        raise Refusal(
            f'{name} weights the classes from an epoch on, and beta=0 has no '
            'weights; give a beta such as 0.9999'
        )
    epochs = epochs_of(cfg, f'{name} weights the classes from an epoch on')
    epoch: int = options.given.get('reweighting_epoch', epochs * 4 // 5)
    hook = dict(type='mmpaco.DeferredReweightingHook', epoch=epoch)
    decision = f'Classes are weighted from epoch {epoch} on, as given.'
    if 'reweighting_epoch' not in options.given:
        decision = (
            f'Classes are weighted from epoch {epoch} of {epochs} on, counted '
            'from 0, as from 160 of 200 in the release, which divides the '
            'learning rate by 100 there; that of the config stays.'
        )
    return dict(reweighting=hook), decision


def epochs_of(cfg: Config, why: str) -> int:
    """Give the number of epochs of a config.

    Args:
        cfg (Config): The config.
        why (str): What they are needed for, the begin of a sentence.

    Raises:
        Refusal: If it counts iterations.
    """
    epochs = (cfg.get('train_cfg') or {}).get('max_epochs')
    if not epochs:
        raise Refusal(
            f'{why}, and the config counts iterations (train_cfg); set '
            'train_cfg=dict(by_epoch=True, max_epochs=...)'
        )
    return int(epochs)
