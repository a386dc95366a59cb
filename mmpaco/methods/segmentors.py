"""What methods ask of the segmentor of a config."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from mmengine.config import Config

from .base import Refusal
from .needed_packages import check_packages, parts
from .training_data import as_list, leaf_datasets, type_name

__all__ = ['Segmentor', 'Stage', 'segmentor_of']

_SEGMENTORS = {
    'EncoderDecoder': False,
    'CascadeEncoderDecoder': True,
    'GPaCoEncoderDecoder': False,
    'GPaCoCascadeEncoderDecoder': True,
}
_MASKS = ('MaskFormerHead', 'Mask2FormerHead', 'SideAdapterCLIPHead')
_NO_CLS_SEG = (
    *_MASKS,
    *('IterativeDecodeHead', 'PointHead', 'SegmenterMaskTransformerHead'),
)
_DEPTH = ('DepthEstimator', 'VPDDepthHead')


@dataclass(frozen=True)
class Stage:
    """A stage of the backbone, or of the neck.

    Args:
        in_index (int): Its place among what the heads are given.
        in_channels (int): Its channels.
    """

    in_index: int
    in_channels: int


@dataclass(frozen=True)
class Segmentor:
    """The segmentor of a config.

    Args:
        cfg (Mapping): Its config.
        heads (tuple[Mapping, ...]): Its decode heads, the main one last.
        is_cascade (bool): Whether it is a cascade of heads.
    """

    cfg: Mapping[str, Any]
    heads: tuple[Mapping[str, Any], ...]
    is_cascade: bool

    @property
    def main(self) -> Mapping[str, Any]:
        """The head that predicts."""
        return self.heads[-1]

    @property
    def main_name(self) -> str:
        """The name of its type."""
        return type_name(self.main)

    @property
    def num_classes(self) -> int:
        """The class count C."""
        return int(inner_head(self.main).get('num_classes') or 0)

    @property
    def has_cls_seg(self) -> bool:
        """Whether the main head ends in ``cls_seg``, as far as is known."""
        return self.main_name not in _NO_CLS_SEG

    @property
    def classifies_masks(self) -> bool:
        """Whether the main head classifies masks instead of pixels."""
        return self.main_name in _MASKS

    def stage(self) -> Optional[Stage]:
        """Choose a stage of the backbone.

        That of the main head if it has one, or else that of an auxiliary
        head, or the last but one of those that the main head fuses: the last
        is coarse in a pyramid.

        Returns:
            Stage, optional: The stage; None if the heads do not tell.
        """
        main = inner_head(self.main)
        if type_name(main) == 'PIDHead':
            # It is given three branches, and the middle one predicts.
            return Stage(1, main['in_channels'])
        for head in (main, *as_list(self.cfg.get('auxiliary_head'))):
            if isinstance(head.get('in_channels'), int):
                index = head.get('in_index', -1)
                return Stage(index, head['in_channels'])
        channels = list(main.get('in_channels') or ())
        if not channels:
            return None
        indices = list(main.get('in_index') or range(len(channels)))
        place = max(0, len(channels) - 2)
        return Stage(indices[place], channels[place])

    def norm_cfg(self) -> Optional[Mapping[str, Any]]:
        """Give the norm of the main head, or else of any part that has one."""
        main = inner_head(self.main)
        for part in (main, *parts(dict(self.cfg))):
            norm = part.get('norm_cfg')
            if isinstance(norm, Mapping) and 'BN' in str(norm.get('type')):
                return norm
        return None


def inner_head(head: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give the head in K-Net's that makes its first prediction and losses."""
    return head.get('kernel_generate_head') or head


def segmentor_of(cfg: Config) -> Segmentor:
    """Look at a config that is to train a segmentor.

    Args:
        cfg (Config): A parsed config.

    Returns:
        Segmentor: Its segmentor.

    Raises:
        Refusal: If it does not train one with labels, or by a segmentor of
            another kind, or a package is missing.
    """
    model = cfg.get('model')
    name = type_name(model)
    heads = model.get('decode_head') if isinstance(model, Mapping) else None
    if not heads:
        raise Refusal(
            'the config has no model with a decode_head, so that there is '
            'nothing to train; give one that trains a segmentor'
        )
    heads = tuple(as_list(heads))
    if name in _DEPTH or any(type_name(x) in _DEPTH for x in heads):
        raise Refusal(
            f'{name} learns depth, and there are no classes to contrast or '
            'to balance; give a config that trains a segmentor'
        )
    if name not in _SEGMENTORS:
        raise Refusal(
            f'{name} takes no head that only trains and has no softmax over '
            'classes to change; methods are for EncoderDecoder and '
            'CascadeEncoderDecoder'
            if name == 'MultimodalEncoderDecoder'
            else f'what {name} does is not known; methods are for '
            'EncoderDecoder and CascadeEncoderDecoder. In a subclass of '
            'these, name a mmpaco.GPaCoAuxHead with source="backbone" among '
            'the auxiliary heads by hand'
        )
    check_packages(cfg)
    _check_data(cfg)
    segmentor = Segmentor(model, heads, _SEGMENTORS[name])
    _check_classes(segmentor)
    return segmentor


def _check_classes(segmentor: Segmentor) -> None:
    main, num_classes = inner_head(segmentor.main), segmentor.num_classes
    scores = main.get('out_channels')
    # In heads of masks these are channels of a feature.
    is_binary = not segmentor.classifies_masks and scores == 1
    if num_classes < 2 or is_binary:
        raise Refusal(
            f'{segmentor.main_name} has num_classes={num_classes} and '
            f'out_channels={scores}, but a score for each of two classes or '
            'more is needed; set num_classes=2 or more and leave out '
            'out_channels'
        )


def _check_data(cfg: Config) -> None:
    dataset = (cfg.get('train_dataloader') or {}).get('dataset')
    if not isinstance(dataset, Mapping):
        raise Refusal(
            'the config has no training set (train_dataloader.dataset); give '
            'one that trains'
        )
    for leaf in leaf_datasets(dataset):
        steps = [type_name(step) for step in leaf.get('pipeline') or ()]
        if not any(_loads_labels(step) for step in steps):
            raise Refusal(
                f'the training pipeline of {type_name(leaf)} loads no label '
                f'maps: {", ".join(steps) or "it has no step"}; add '
                'LoadAnnotations'
            )


def _loads_labels(step: str) -> bool:
    """Whether a step may load label maps; those of one's own may."""
    return not step.startswith(
        ('LoadImage', 'LoadDepth', 'LoadSingleRS', 'LoadMultipleRS')
    ) and (step.startswith('Load') and 'ImageFromFile' not in step)
