"""The form of a residual network that several experts share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from mmengine.config import Config

from .base import Refusal
from .training_data import type_name

__all__ = ['Form', 'expert_form']


class _Network(NamedTuple):
    """The expert form of a network, and what its own form begins from."""

    type: str
    num_stages: int
    base_channels: int
    # What is told to the form and is the default of the network.
    told: dict[str, Any]


# Of tuples of maps they pool every one.
_POOLINGS = ('GlobalAveragePooling', 'GeneralizedMeanPooling')
_LARGE = ('mmpaco.MultiExpertResNet', 4, 64)
_NETWORKS = {
    'ResNet': _Network(*_LARGE, {}),
    'ResNeXt': _Network(*_LARGE, dict(groups=32, width_per_group=4)),
    'ResNetV1c': _Network(*_LARGE, dict(deep_stem=True)),
    'ResNetV1d': _Network(*_LARGE, dict(deep_stem=True, avg_down=True)),
    'ResNet_CIFAR': _Network('mmpaco.MultiExpertResNetCIFAR', 4, 64, {}),
    'CIFARResNet': _Network('mmpaco.MultiExpertCIFARResNet', 3, 16, {}),
}
# The others have bottlenecks, of four times the channels.
_BASIC = (18, 34)


class Form(NamedTuple):
    """How several experts share the network of a config.

    Args:
        settings (dict): What changes in the backbone, but for what experts
            share.
        widths (tuple[int, ...]): Channels inside of the blocks of its last
            two stages.
        expansion (int): How many times more a block gives than it has inside.
        place (str): What takes whose place, the begin of a sentence.
        notes (list[str]): Decisions that were taken already.
    """

    settings: dict[str, Any]
    widths: tuple[int, ...]
    expansion: int
    place: str
    notes: list[str]


def expert_form(cfg: Config, name: str) -> Form:
    """Find the form of a config's network.

    Args:
        cfg (Config): The config.
        name (str): The method.

    Returns:
        Form: The form.

    Raises:
        Refusal: If the network has none, or the neck does not pool maps.
    """
    old = cfg.model.get('backbone') or {}
    kind = type_name(old)
    if kind not in _NETWORKS:
        raise Refusal(
            f'the backbone is {kind or None}, which has no form of several '
            f'experts; {name} is for {", ".join(_NETWORKS)}'
        )
    network = _NETWORKS[kind]
    _check_pooling(cfg.model, name)
    settings: dict[str, Any] = dict(
        type=network.type,
        **{k: old.get(k, v) for k, v in network.told.items()},
    )
    stages = old.get('num_stages', network.num_stages)
    if tuple(old.get('out_indices', (stages - 1,))) != (stages - 1,):
        settings['out_indices'] = (stages - 1,)
    base = old.get('base_channels', network.base_channels)
    is_basic = kind == 'CIFARResNet' or old.get('depth') in _BASIC
    return Form(
        settings,
        tuple(base * 2**i for i in range(stages)[-2:]),
        int(old.get('expansion') or (1 if is_basic else 4)),
        f'{network.type} takes the place of {kind}',
        _weights(cfg, old),
    )


def _check_pooling(model: Mapping[str, Any], name: str) -> None:
    """Refuse a neck that does not pool the map of each expert."""
    neck = type_name(model.get('neck'))
    if neck and neck not in _POOLINGS:
        raise Refusal(
            f'the neck is {neck}, and {name} needs one that pools the map of '
            f'each expert; use {" or ".join(_POOLINGS)}'
        )


def _weights(cfg: Config, backbone: Mapping[str, Any]) -> list[str]:
    """Say what becomes of weights that the config begins from."""
    init = backbone.get('init_cfg') or {}
    if type_name(init) != 'Pretrained' and not cfg.get('load_from'):
        return []
    return [
        'The weights that the config begins from are for the stages that all '
        'experts share alone: the layers of the others have other names.'
    ]
