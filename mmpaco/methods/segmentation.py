"""Methods for configs of mmseg."""

from __future__ import annotations

from typing import Any, Optional

from mmengine.config import Config

from mmpaco.contrast_strength import PIXELS, class_strength

from .base import Facts, Options, Plan, Refusal, method
from .rare_classes import rare_evaluators
from .segmentation_losses import (
    balanced_softmax,
    change_losses,
    cross_entropy,
    loss_names,
)
from .segmentors import Segmentor, segmentor_of
from .settings import add_hooks
from .training_data import as_list, type_name

_GPACO = (
    'Generalized Parametric Contrastive Learning, Cui et al., TPAMI 2023, '
    'https://arxiv.org/abs/2209.12400'
)
_META_SOFTMAX = (
    'Balanced Meta-Softmax, Ren et al., NeurIPS 2020, '
    'https://arxiv.org/abs/2007.10740'
)
_ALPHA, _NUM_SAMPLES = 0.01, 8192
_PARAMETERS = {
    'alpha': 'model.gpaco.loss_decode.alpha',
    'temperature': 'model.gpaco.loss_decode.temperature',
    'num_samples': 'model.gpaco.num_samples',
    'loss_weight': 'model.gpaco.loss_weight',
}


@method(
    'cross-entropy',
    'mmseg',
    'the decode heads learn by plain cross-entropy',
    'the baseline of every paper',
)
def _cross_entropy(cfg: Config, facts: Facts, options: Options) -> Plan:
    segmentor = segmentor_of(cfg)
    _check_pixels(segmentor)
    model, told = change_losses(segmentor, cross_entropy)
    if not told:
        told = [
            'The decode heads learn by plain cross-entropy already, which '
            'stays as it is.'
        ]
    return _plan(cfg, facts, segmentor, model, told)


@method(
    'balanced-softmax',
    'mmseg',
    'cross-entropy of logits shifted by the log of the pixels per class',
    _META_SOFTMAX,
)
def _balanced_softmax(cfg: Config, facts: Facts, options: Options) -> Plan:
    segmentor = segmentor_of(cfg)
    _check_pixels(segmentor)
    if 'BalancedSoftmaxLoss' in loss_names(segmentor):
        raise Refusal(
            'the decode head learns by mmpaco.BalancedSoftmaxLoss already; '
            'give the config that this one is based on'
        )
    model, told = change_losses(segmentor, balanced_softmax)
    told.append(
        'mmpaco.ClassPriorHook counts the pixels per class before training.'
    )
    plan = _plan(cfg, facts, segmentor, model, told)
    add_hooks(plan.settings, cfg, 'mmpaco.ClassPriorHook')
    return plan


@method(
    'gpaco',
    'mmseg',
    "contrast of pixels, by the main head's feature and classifier",
    _GPACO,
    _PARAMETERS,
)
def _gpaco(cfg: Config, facts: Facts, options: Options) -> Plan:
    segmentor = segmentor_of(cfg)
    _check_new(segmentor)
    name = segmentor.main_name
    if not segmentor.has_cls_seg:
        raise Refusal(
            f'{name} does not end in cls_seg, so that there are no feature '
            'and no classifier of pixels to take from it; gpaco-backbone '
            'contrasts a stage of the backbone instead'
        )
    loss, told = _strength(facts, options, segmentor)
    told.insert(0, f'The feature and the logits of {name} are contrasted.')
    if any(
        x.get('use_sigmoid')
        for x in as_list(segmentor.main.get('loss_decode'))
    ):
        told.append(
            f'The sigmoid loss of {name} stays; the contrast takes the same '
            'logits in a softmax.'
        )
    return _plan(cfg, facts, segmentor, _contrast(segmentor, loss), told)


@method(
    'gpaco-backbone',
    'mmseg',
    'contrast of pixels by a stage of the backbone, beside any main head',
    _GPACO,
    _PARAMETERS,
)
def _gpaco_backbone(cfg: Config, facts: Facts, options: Options) -> Plan:
    segmentor = segmentor_of(cfg)
    _check_new(segmentor)
    stage = segmentor.stage()
    if stage is None or segmentor.cfg['backbone'].get('output_cls_token'):
        raise Refusal(
            'the backbone gives no plain feature map to '
            f'{segmentor.main_name}'
            + (
                '; gpaco takes that of the main head'
                if segmentor.has_cls_seg
                else ''
            )
        )
    # Half or a quarter is usual in mmseg's auxiliary heads.
    channels = min(512, max(64, stage.in_channels // 4))
    gpaco = dict(
        source='backbone',
        in_channels=stage.in_channels,
        in_index=stage.in_index,
        channels=channels,
    )
    norm = segmentor.norm_cfg()
    if norm is not None and 'norm_cfg' not in segmentor.main:
        gpaco['norm_cfg'] = dict(norm)
    loss, told = _strength(facts, options, segmentor)
    told.insert(
        0,
        f'Stage {stage.in_index} of the backbone, of {stage.in_channels} '
        f'channels, is contrasted by a head of {channels} channels with '
        'centers of its own.',
    )
    model = _contrast(segmentor, {**gpaco, **loss})
    return _plan(cfg, facts, segmentor, model, told)


def _contrast(segmentor: Segmentor, gpaco: dict[str, Any]) -> dict[str, Any]:
    cascade = 'Cascade' if segmentor.is_cascade else ''
    model: dict[str, Any] = dict(type=f'mmpaco.GPaCo{cascade}EncoderDecoder')
    return {**model, **({'gpaco': gpaco} if gpaco else {})}


def _check_new(segmentor: Segmentor) -> None:
    heads = as_list(segmentor.cfg.get('auxiliary_head'))
    if type_name(segmentor.cfg).startswith('GPaCo') or any(
        type_name(head) == 'GPaCoAuxHead' for head in heads
    ):
        raise Refusal(
            'the config trains with GPaCo already; give the config that this '
            'one is based on'
        )


def _check_pixels(segmentor: Segmentor) -> None:
    if segmentor.classifies_masks:
        raise Refusal(
            f'{segmentor.main_name} classifies masks and not pixels, by a '
            'loss of its own that has no cross-entropy of pixels to change; '
            'gpaco-backbone trains beside it'
        )


def _strength(
    facts: Facts, options: Options, segmentor: Segmentor
) -> tuple[dict[str, Any], list[str]]:
    """Choose alpha; what is not the default is a setting."""
    alpha = float(options.given.get('alpha', _ALPHA))
    num_samples = int(options.given.get('num_samples', _NUM_SAMPLES))
    share = _largest_share(facts, segmentor)
    if share is None or num_samples < 2:
        why = facts.why_unknown or 'the pixels per class are not known'
        return {}, [
            f'alpha is {alpha:g}, as in the papers, since {why}; run this '
            'again where the data are, or see alpha x K in the log of the '
            'first batch.'
        ]
    strength = class_strength(alpha, share, num_samples - 1, PIXELS)
    figures = (
        f'alpha x K is about {strength.alpha_k:.3g} for the most frequent '
        f'class, which has {100 * share:.1f} % of the training pixels'
        f'{facts.source and " " + facts.source}, at {num_samples} pixels of '
        'an image'
    )
    if strength.is_sane or 'alpha' in options.given:
        whose = 'as given' if 'alpha' in options.given else 'as in the papers'
        told = f'alpha is {alpha:g}, {whose}: {figures}.'
        return {}, [told if strength.is_sane else f'{told} {strength.advice}']
    wanted = strength.wanted
    chosen = float(f'{wanted / strength.positives:.2g}')
    return dict(loss_decode=dict(alpha=chosen)), [
        f'alpha is {chosen:g}, which brings alpha x K to {wanted:g}, as in '
        f"the papers; with the papers' alpha={alpha:g}, {figures}, outside "
        f'of {PIXELS.sane[0]:g} to {PIXELS.sane[1]:g}.'
    ]


def _largest_share(facts: Facts, segmentor: Segmentor) -> Optional[float]:
    counts = facts.class_counts
    if counts is None or len(counts) != segmentor.num_classes:
        return None
    return max(counts) / sum(counts) if sum(counts) > 0 else None


def _plan(
    cfg: Config,
    facts: Facts,
    segmentor: Segmentor,
    model: dict[str, Any],
    told: list[str],
) -> Plan:
    """Make the plan, with the IoU of rare classes if they are known."""
    settings: dict[str, Any] = dict(model=model) if model else {}
    counts, num_classes = facts.class_counts, segmentor.num_classes
    if counts is not None and len(counts) != num_classes:
        told.append(
            f'The training set has {len(counts)} classes and '
            f'{segmentor.main_name} {num_classes} (num_classes), so nothing '
            'is made of its counts; check num_classes.'
        )
    elif counts is not None:
        evaluators, rare = rare_evaluators(cfg, counts)
        settings.update(evaluators)
        if evaluators:
            told.append(
                'rare_mIoU is scored beside mIoU: that of the classes with '
                f'the fewest training pixels, {rare}'
                + (f', as counted {facts.source}.' if facts.source else '.')
            )
    return Plan(settings, told)
