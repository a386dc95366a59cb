"""The losses of decode heads, and what takes their place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, Optional

from .segmentors import Segmentor, inner_head
from .training_data import as_list, type_name

__all__ = ['balanced_softmax', 'change_losses', 'cross_entropy', 'loss_names']

Losses = list[dict[str, Any]]
_CLASSIFY = (
    *('BalancedSoftmaxLoss', 'CrossEntropyLoss', 'FocalLoss'),
    'OhemCrossEntropy',
)
# These hand over no ignore label, and count on the number of their losses.
_FIXED = ('DDRHead', 'PIDHead')
_UNLIKE_PLAIN = ('class_weight', 'use_mask', 'use_sigmoid')


def losses_of(head: Mapping[str, Any]) -> Losses:
    """Give the losses of a decode head; mmseg's default if it names none."""
    losses = inner_head(head).get('loss_decode')
    losses = losses or dict(type='CrossEntropyLoss')
    return [dict(loss) for loss in as_list(losses)]


def loss_names(segmentor: Segmentor) -> list[str]:
    """Give the names of all losses of the decode heads."""
    return [type_name(x) for head in segmentor.heads for x in losses_of(head)]


def balanced_softmax(head: Mapping[str, Any]) -> Losses:
    """Give the losses of a decode head with Balanced Softmax among them.

    Args:
        head (dict): The head.

    Returns:
        list[dict]: It takes the place of what classifies, with its weight,
        or of all where nothing does.
    """
    inner = inner_head(head)
    ours = dict(
        type='mmpaco.BalancedSoftmaxLoss', num_classes=inner['num_classes']
    )
    if type_name(inner) in _FIXED:
        ours['ignore_index'] = inner.get('ignore_index', 255)
    changed = [
        {**ours, **_weight(loss)} if type_name(loss) in _CLASSIFY else loss
        for loss in losses_of(head)
    ]
    return changed if _has_classifying(losses_of(head)) else [ours]


def cross_entropy(head: Mapping[str, Any]) -> Losses:
    """Give the plain cross-entropy of a decode head.

    Args:
        head (dict): The head.

    Returns:
        list[dict]: One loss, with the weight of what classified; as many as
        before in a head that counts on it.
    """
    losses = losses_of(head)
    if type_name(inner_head(head)) in _FIXED:
        return [_without_mining(loss) for loss in losses]
    found = [x for x in losses if type_name(x) == 'CrossEntropyLoss']
    if found:
        unlike = [k for k in _UNLIKE_PLAIN if found[0].get(k)]
        return [{k: v for k, v in found[0].items() if k not in unlike}]
    found = [x for x in losses if type_name(x) in _CLASSIFY]
    return [dict(type='CrossEntropyLoss', **_weight(*found[:1]))]


def change_losses(
    segmentor: Segmentor, change: Callable[[Mapping[str, Any]], Losses]
) -> tuple[dict[str, Any], list[str]]:
    """Give the settings that change the losses of all decode heads.

    Args:
        segmentor (Segmentor): What has the heads.
        change (Callable): Gives the new losses of a head.

    Returns:
        tuple[dict, list[str]]: The settings of the model, and sentences that
        say what went.
    """
    settings, told = [], []
    for head in segmentor.heads:
        new, old = change(head), losses_of(head)
        ours: dict[str, Any] = {}
        if new != old:
            ours['loss_decode'] = _as_setting(new)
        if head.get('sampler'):
            ours['sampler'] = None
        if ours and inner_head(head) is not head:
            ours = dict(kernel_generate_head=ours)
        settings.append(ours)
        told += [x for x in _told(head, old, new) if x not in told]
    if not any(settings):
        return {}, told
    if not segmentor.is_cascade:
        return dict(decode_head=settings[0]), told
    # mmengine does not merge lists.
    whole = [
        {**head, **{k: _whole(v) for k, v in ours.items()}}
        for head, ours in zip(segmentor.heads, settings)
    ]
    return dict(decode_head=whole), told


def _as_setting(losses: Losses) -> Any:
    return dict(losses[0], _delete_=True) if len(losses) == 1 else losses


def _whole(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {k: v for k, v in value.items() if k != '_delete_'}


def _weight(loss: Optional[Mapping[str, Any]] = None) -> dict[str, Any]:
    weight = (loss or {}).get('loss_weight', 1.0)
    return {} if weight == 1 else dict(loss_weight=weight)


def _has_classifying(losses: Losses) -> bool:
    return any(type_name(x) in _CLASSIFY for x in losses)


def _without_mining(loss: dict[str, Any]) -> dict[str, Any]:
    """Give a loss that takes all pixels, and all alike."""
    if type_name(loss) not in ('CrossEntropyLoss', 'OhemCrossEntropy'):
        return loss
    plain = {k: v for k, v in loss.items() if k != 'class_weight'}
    if type_name(loss) == 'OhemCrossEntropy':
        # Every probability is below.
        plain['thres'] = 2.0
    return plain


def _told(head: Mapping[str, Any], old: Losses, new: Losses) -> list[str]:
    """Say what of the old losses the new ones lack."""
    name = type_name(head)
    told = []
    if old != new:
        told.append(f'{name}: {_names(old)} became {_names(new)}.')
    if any(x.get('use_sigmoid') for x in old) and old != new:
        told.append(f'{name}: its sigmoid became a softmax over the classes.')
    if any(x.get('class_weight') for x in old):
        told.append(f'{name}: class weights went.')
    if head.get('sampler') or 'OhemCrossEntropy' in map(type_name, old):
        told.append(f'{name}: mining of hard pixels went; all take part.')
    return told


def _names(losses: Losses) -> str:
    return ' + '.join(type_name(x) for x in losses)
