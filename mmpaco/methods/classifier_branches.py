"""Methods for configs of mmpretrain that put another head on the network."""

from __future__ import annotations

from typing import Any

from mmengine.config import Config

from .base import Facts, Options, Plan, Refusal, method
from .classification import cross_entropy
from .classifier_losses import balanced_note, loss_plan
from .classifier_settings import add_pooling
from .settings import add_hooks
from .stock_classifiers import (
    Classifier,
    check_stock_linear,
    classifier_of,
    missing_pooling,
)
from .training_data import type_name

_SCOPE = 'mmpretrain'
_HEAD = 'model.head'
# From how many channels on a branch is a convolution in the release: CIFAR's
# network has 64, the smallest of ImageNet-LT 512.
_WIDE = 512
# Shares of the classes that are not many-shot, and few-shot, on CIFAR.
_GROUPS = (1.0, 0.65, 0.3)


@method(
    'reslt',
    _SCOPE,
    'three branches, for all, rarer and rare classes, that are summed',
    'ResLT, Cui et al., TPAMI 2022, https://arxiv.org/abs/2101.10633',
    {'beta': f'{_HEAD}.loss.beta', 'test_tau': f'{_HEAD}.test_tau'},
)
def reslt(cfg: Config, facts: Facts, options: Options) -> Plan:
    """Put the branches of ResLT on the last map of the network."""
    classifier = classifier_of(cfg)
    check_stock_linear(
        classifier,
        'the branches of reslt take the place',
        'a method that is a loss alone: balanced-softmax or logit-adjusted',
    )
    _check_map(cfg)
    number = classifier.num_classes
    groups = [max(1, round(share * number)) for share in _GROUPS]
    branch = 'conv' if classifier.head['in_channels'] >= _WIDE else 'norm'
    beta = options.given.get('beta', 0.99)
    plan = loss_plan(
        cfg,
        classifier,
        dict(type='mmpaco.ResLTLoss', beta=beta, groups=groups),
        [
            *balanced_note(facts, 'three groups of much the same classes'),
            'mmpaco.ResLTHead takes the map of the network, so the pooling '
            'goes that came before LinearClsHead; its branches are '
            + (
                'convolutions of 1 x 1, as for ImageNet-LT in the release.'
                if branch == 'conv'
                else 'batch norms, as for CIFAR in the release.'
            ),
            f'The branches are trained on the {groups[0]}, {groups[1]} and '
            f'{groups[2]} rarest classes, the shares of the release for '
            'CIFAR-100-LT (model.head.loss.groups).',
            f'beta is {beta:g}'
            + (
                ', as given.'
                if 'beta' in options.given
                else ', as for ImageNet-LT and CIFAR-100-LT (50) in the '
                'release; its README says to tune it.'
            ),
        ],
        dict(type='mmpaco.ResLTHead', branch=branch),
    )
    plan.settings['model']['neck'] = None
    return plan


def _check_map(cfg: Config) -> None:
    """Refuse a network whose last map the head would not be given."""
    neck = cfg.model.get('neck')
    name = type_name(neck)
    if name == 'GlobalAveragePooling' and neck.get('dim', 2) == 2:
        return
    if missing_pooling(cfg):
        return
    backbone = type_name(cfg.model.get('backbone'))
    raise Refusal(
        'reslt needs the last map of a network, which GlobalAveragePooling '
        f'would pool, but the config has {backbone} with '
        + (f'the neck {name}' if neck else 'no neck')
        + '; use a network of maps, such as ResNet or Swin, or '
        'balanced-softmax'
    )


@method(
    'tde',
    _SCOPE,
    'cosines of features, from which their running mean is removed at test',
    'De-confound-TDE (Causal Norm), Tang et al., NeurIPS 2020, '
    'https://arxiv.org/abs/2009.12991',
    {
        name: f'{_HEAD}.{name}'
        for name in ('alpha', 'num_heads', 'scale', 'gamma', 'momentum')
    },
)
def tde(cfg: Config, facts: Facts, options: Options) -> Plan:
    """Put the cosines of De-confound-TDE on a linear classifier."""
    classifier = classifier_of(cfg)
    check_stock_linear(
        classifier,
        'the cosines of tde take the place',
        'a method that is a loss alone: balanced-softmax or logit-adjusted',
    )
    num_heads = _num_heads(classifier, options)
    alpha = options.given.get('alpha', 1.5)
    # Its loss is a cross-entropy, that of the config if it has one.
    plan = cross_entropy(cfg, facts, options)
    model: dict[str, Any] = plan.settings.setdefault('model', {})
    model['head'] = {
        **(model.get('head') or {}),
        'type': 'mmpaco.CausalNormHead',
        'alpha': alpha,
        'num_heads': num_heads,
    }
    add_pooling(model, cfg, plan.decisions)
    add_hooks(plan.settings, cfg, 'mmpaco.CausalNormHook')
    plan.decisions += [
        'mmpaco.CausalNormHead takes the place of LinearClsHead: its scores '
        f'are the mean cosine of {num_heads} parts of the feature, times 16, '
        'without a bias.',
        f'alpha is {alpha:g}'
        + (
            ', as given'
            if 'alpha' in options.given
            else ', as for CIFAR-100-LT in the release, which has 3 for '
            'ImageNet-LT'
        )
        + '. It acts at test alone: a checkpoint can be tested with another '
        '(--cfg-options model.head.alpha=A).',
    ]
    return plan


def _num_heads(classifier: Classifier, options: Options) -> int:
    """Give the number of parts, into which the channels must be split."""
    channels = classifier.head['in_channels']
    number: int = options.given.get('num_heads', 2)
    if number < 1 or channels % number:
        raise Refusal(
            f'tde splits a feature into {number} parts (num_heads), but '
            f'model.head.in_channels is {channels}; set num_heads to a '
            'number that divides it, such as 1'
        )
    return number
