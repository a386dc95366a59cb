"""Methods for configs of mmpretrain that train several experts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from mmengine.config import Config

from .base import Facts, Options, Plan, Refusal, method
from .classifier_losses import balanced_note, loss_plan
from .classifier_settings import add_pooling
from .deferred_weights import REWEIGHTING_EPOCH, deferred_weights
from .stock_classifiers import check_stock_linear, classifier_of
from .training_data import type_name

_SCOPE = 'mmpretrain'
_HEAD = 'model.head'
_LOSS = 'model.head.loss'
_BACKBONE = 'model.backbone'
# Of tuples of maps they pool every one.
_POOLINGS = ('GlobalAveragePooling', 'GeneralizedMeanPooling')


class _Form(NamedTuple):
    """The expert form of a network, and what its own form begins from."""

    type: str
    num_stages: int
    base_channels: int
    # What is told to the form and is the default of the network.
    told: dict[str, Any]


_LARGE = ('mmpaco.MultiExpertResNet', 4, 64)
_FORMS = {
    'ResNet': _Form(*_LARGE, {}),
    'ResNeXt': _Form(*_LARGE, dict(groups=32, width_per_group=4)),
    'ResNetV1c': _Form(*_LARGE, dict(deep_stem=True)),
    'ResNetV1d': _Form(*_LARGE, dict(deep_stem=True, avg_down=True)),
    'ResNet_CIFAR': _Form('mmpaco.MultiExpertResNetCIFAR', 4, 64, {}),
    'CIFARResNet': _Form('mmpaco.MultiExpertCIFARResNet', 3, 16, {}),
}
# The others have bottlenecks, of four times the channels.
_BASIC = (18, 34)


@method(
    'ride',
    _SCOPE,
    'several experts by ldam-drw that share a network, and are driven apart',
    'RIDE, Wang et al., ICLR 2021, https://arxiv.org/abs/2010.01809',
    {
        'num_experts': f'{_BACKBONE}.num_experts',
        'diversity': f'{_LOSS}.diversity',
        'spread': f'{_LOSS}.spread',
        'max_margin': f'{_LOSS}.max_margin',
        'scale': f'{_HEAD}.scale',
        'beta': f'{_LOSS}.beta',
        'reweighting_epoch': REWEIGHTING_EPOCH,
    },
)
def ride(cfg: Config, facts: Facts, options: Options) -> Plan:
    """Make experts of a residual network and its linear classifier."""
    classifier = classifier_of(cfg)
    check_stock_linear(
        classifier,
        'the cosines of ride take the place',
        'a method that is a loss alone: cb-focal, logit-adjusted or '
        'balanced-softmax',
    )
    old = cfg.model.get('backbone') or {}
    form = _form_of(old)
    _check_pooling(cfg.model)
    model: dict[str, Any] = {}
    pooling: list[str] = []
    add_pooling(model, cfg, pooling)
    hooks, weighted = deferred_weights(cfg, options, 'ride')
    experts = options.given.get('num_experts', 3)
    scale = options.given.get('scale', 30.0)
    widths = _widths(old, form)
    backbone: dict[str, Any] = dict(
        type=form.type,
        num_experts=experts,
        own_stages=len(widths),
        **{k: old.get(k, v) for k, v in form.told.items()},
    )
    channels = widths[-1]
    if experts > 1:
        backbone['widths'] = widths = tuple(x * 3 // 4 for x in widths)
        channels = widths[-1]
    last = (old.get('num_stages', form.num_stages) - 1,)
    if tuple(old.get('out_indices', last)) != last:
        backbone['out_indices'] = last
    plan = loss_plan(
        cfg,
        classifier,
        dict(
            type='mmpaco.RIDELoss',
            max_margin=0.5,
            scale=scale,
            beta=0.9999,
            diversity=-0.2,
            spread=0.05,
        ),
        [
            *balanced_note(facts, 'one margin for all, without weights'),
            f'{form.type} takes the place of {type_name(old)}: '
            f'num_experts={experts} share all but the last {len(widths)} '
            'stages, of which each has its own'
            + (
                ', with three fourths of the channels, as in the release.'
                if experts > 1
                else ', with all channels.'
            ),
            'mmpaco.MultiExpertClsHead takes the place of LinearClsHead: the '
            f'scores of each expert are cosines times {scale:g}, without a '
            'bias, and those of the model their mean.',
            *_factors(options),
            weighted,
            *pooling,
            *_weights(cfg, old),
            "The release's distillation, and its second stage, which learns "
            'how many experts an image needs, are left out.',
        ],
        dict(
            type='mmpaco.MultiExpertClsHead',
            in_channels=channels * _expansion(old, form),
            num_experts=experts,
            scale=scale,
        ),
    )
    plan.settings['model'].update(model, backbone=backbone)
    plan.settings['default_hooks'] = hooks
    return plan


def _form_of(backbone: Mapping[str, Any]) -> _Form:
    """Find the expert form of a network."""
    name = type_name(backbone)
    if name not in _FORMS:
        raise Refusal(
            f'the backbone is {name or None}, which has no form of several '
            f'experts; ride is for {", ".join(_FORMS)}'
        )
    return _FORMS[name]


def _widths(backbone: Mapping[str, Any], form: _Form) -> tuple[int, ...]:
    """Give the channels of the last two stages."""
    stages = backbone.get('num_stages', form.num_stages)
    base = backbone.get('base_channels', form.base_channels)
    return tuple(base * 2**i for i in range(stages)[-2:])


def _expansion(backbone: Mapping[str, Any], form: _Form) -> int:
    """Tell how many times more channels a block gives than it has inside."""
    is_basic = form is _FORMS['CIFARResNet'] or backbone.get('depth') in _BASIC
    return int(backbone.get('expansion') or (1 if is_basic else 4))


def _check_pooling(model: Mapping[str, Any]) -> None:
    """Refuse a neck that does not pool the map of each expert."""
    name = type_name(model.get('neck'))
    if name and name not in _POOLINGS:
        raise Refusal(
            f'the neck is {name}, and ride needs one that pools the map of '
            f'each expert; use {" or ".join(_POOLINGS)}'
        )


def _factors(options: Options) -> list[str]:
    """Say where the factors of the loss are from."""
    if {'diversity', 'spread'} <= {*options.given}:
        return []
    return [
        'diversity is -0.2 and spread 0.05 where they are not given, the '
        'defaults of the release, which has -0.45 and 0.05 on CIFAR-100-LT, '
        '-0.2 and 0.02 on ImageNet-LT, and -0.2 and 0.015 on iNaturalist 2018 '
        '(--set diversity=-0.45).'
    ]


def _weights(cfg: Config, backbone: Mapping[str, Any]) -> list[str]:
    """Say what becomes of weights that the config begins from."""
    init = backbone.get('init_cfg') or {}
    if type_name(init) != 'Pretrained' and not cfg.get('load_from'):
        return []
    return [
        'The weights that the config begins from are for what the experts '
        'share alone: the layers of an expert have other names, and other '
        'channels.'
    ]
