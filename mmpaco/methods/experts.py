"""Methods for configs of mmpretrain that train several experts."""

from __future__ import annotations

from typing import Any

from mmengine.config import Config

from .base import Facts, Options, Plan, method
from .classifier_losses import balanced_note, loss_plan
from .classifier_settings import (
    CROSS_ENTROPIES,
    add_pooling,
    add_shots,
    loss_decisions,
    switch_recipes,
    unmix,
    unmix_decisions,
)
from .deferred_weights import REWEIGHTING_EPOCH, deferred_weights, epochs_of
from .expert_forms import expert_form
from .stock_classifiers import (
    check_linear,
    check_stock_linear,
    classifier_of,
)
from .training_data import type_name

_SCOPE = 'mmpretrain'
_HEAD = 'model.head'
_LOSS = 'model.head.loss'
_BACKBONE = 'model.backbone'
# Where it has a dotted key, which in a list of hooks it has not.
_PROGRESS_EPOCHS = 'default_hooks.progress.epochs'


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
    form = expert_form(cfg, 'ride')
    model: dict[str, Any] = {}
    pooling: list[str] = []
    add_pooling(model, cfg, pooling)
    hooks, weighted = deferred_weights(cfg, options, 'ride')
    experts = options.given.get('num_experts', 3)
    scale = options.given.get('scale', 30.0)
    widths = form.widths
    backbone = dict(form.settings, num_experts=experts, own_stages=len(widths))
    if experts > 1:
        backbone['widths'] = widths = tuple(x * 3 // 4 for x in widths)
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
            f'{form.place}: num_experts={experts} share all but the last '
            f'{len(widths)} stages, of which each has its own'
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
            *form.notes,
            "The release's distillation, and its second stage, which learns "
            'how many experts an image needs, are left out.',
        ],
        dict(
            type='mmpaco.MultiExpertClsHead',
            in_channels=widths[-1] * form.expansion,
            num_experts=experts,
            scale=scale,
        ),
    )
    plan.settings['model'].update(model, backbone=backbone)
    plan.settings['default_hooks'] = hooks
    return plan


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


@method(
    'bbn',
    _SCOPE,
    'two branches, for images as they come and for rare ones, mixed by epoch',
    'BBN, Zhou et al., CVPR 2020, https://arxiv.org/abs/1912.02413',
    {'power': 'train_dataloader.sampler.power', 'epochs': _PROGRESS_EPOCHS},
)
def bbn(cfg: Config, facts: Facts, options: Options) -> Plan:
    """Give a residual network two branches, and each image a rare one."""
    classifier = classifier_of(cfg)
    check_stock_linear(
        classifier,
        'bbn doubles the features',
        'a method that is a loss alone: balanced-softmax or logit-adjusted',
    )
    check_linear(classifier, cfg)
    form = expert_form(cfg, 'bbn')
    epochs = epochs_of(cfg, 'bbn mixes its branches by the epoch')
    loss = classifier.head.get('loss') or {}
    head: dict[str, Any] = dict(
        classifier.head_changes,
        in_channels=2 * form.widths[-1] * form.expansion,
    )
    decisions = [
        *classifier.notes,
        *balanced_note(facts, 'two branches for much the same images'),
        f'{form.place}: its last block is there twice, once for images as '
        'they come and once for those of rare classes, and their maps are '
        'joined.',
        *form.notes,
        'To each image comes one of a class that is drawn by one over its '
        'number of images (mmpaco.PairedDataset, mmpaco.PairSampler), so a '
        'batch has twice the images; the dataset of the config is '
        'train_dataloader.dataset.dataset now.',
        f'The branches are mixed by the epoch of {epochs}'
        + (
            ', with epochs as given.'
            if 'epochs' in options.given
            else ': at the last the second has all. The release divides the '
            'epochs of trainings of 90 and 180 by 100 and 200 (--set '
            'epochs=200).'
        ),
        *unmix_decisions(classifier),
    ]
    if type_name(loss) in CROSS_ENTROPIES and not loss.get('use_soft'):
        decisions.append('The loss of the config stays, of both labels.')
    else:
        head['loss'] = dict(_delete_=True, type='CrossEntropyLoss')
        decisions += loss_decisions(classifier)
    model: dict[str, Any] = dict(
        type='mmpaco.BBNClassifier',
        backbone=dict(form.settings, num_experts=2, own_blocks=1, joined=True),
        head=head,
    )
    add_pooling(model, cfg, decisions)
    settings: dict[str, Any] = dict(
        model=model,
        train_dataloader=dict(
            sampler=dict(_delete_=True, type='mmpaco.PairSampler'),
            dataset=dict(
                _delete_=True,
                type='mmpaco.PairedDataset',
                dataset=cfg.train_dataloader.dataset,
            ),
        ),
        default_hooks=dict(progress=dict(type='mmpaco.BBNProgressHook')),
    )
    unmix(settings, classifier, type='mmpaco.MultiViewDataPreprocessor')
    switch_recipes(settings, cfg, decisions)
    add_shots(settings, cfg, decisions, classifier.num_classes)
    return Plan(settings, decisions)
