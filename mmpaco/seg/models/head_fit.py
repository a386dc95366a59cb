"""A contrast head that fits the main head."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from mmpaco.registry import MODELS

from .gpaco_aux_head import GPaCoAuxHead

# What a head that is made has in common with the main head.
_SHARED = (
    *('num_classes', 'ignore_index', 'align_corners'),
    *('conv_cfg', 'norm_cfg', 'act_cfg'),
)
BACKBONE_INSTEAD = (
    "contrast a stage of the backbone instead, by gpaco=dict(source='backbone'"
    ', in_channels=..., in_index=..., channels=...) in the segmentor'
)


def make_head(main: nn.Module, gpaco: Mapping[str, Any]) -> GPaCoAuxHead:
    """Build the head that fits a main head, but for what is said to differ.

    Args:
        main (nn.Module): The main head.
        gpaco (Mapping): Arguments of ``mmpaco.GPaCoAuxHead`` that differ.

    Returns:
        GPaCoAuxHead: The head.

    Raises:
        TypeError: If a key is no argument of the head.
        ValueError: If the main head has no ``conv_seg``, or a head on the
            backbone is not told its channels.
    """
    cfg = {key: getattr(main, key) for key in _SHARED if hasattr(main, key)}
    if cfg.get('act_cfg', ()) is None:
        # Without one the projector would be a single linear layer.
        del cfg['act_cfg']
    if gpaco.get('source', 'decode_head') == 'decode_head':
        cfg['in_channels'] = _conv_seg(main).in_channels
    elif 'in_channels' not in gpaco:
        raise ValueError(
            f'gpaco=dict(source={gpaco["source"]!r}) needs in_channels, those '
            f'of a stage of the backbone, but got gpaco={dict(gpaco)}'
        )
    try:
        head: GPaCoAuxHead = MODELS.build(
            {'type': 'mmpaco.GPaCoAuxHead', **cfg, **gpaco}
        )
    except TypeError as error:
        # What the head says of merged configs is not of one that was made.
        told = str(error).partition('; mmengine merges')[0]
        raise TypeError(
            f'gpaco={dict(gpaco)}: {told}; its keys are arguments of '
            'mmpaco.GPaCoAuxHead, and those of the loss, such as alpha and '
            'temperature, belong in gpaco=dict(loss_decode=dict(...))'
        ) from error
    return head


def _conv_seg(main: nn.Module) -> nn.Module:
    """Return the layer that classifies, or raise a ``ValueError``."""
    conv_seg = getattr(main, 'conv_seg', None)
    if not isinstance(conv_seg, nn.Module):
        raise ValueError(
            f'{type(main).__name__} has no conv_seg: it does not end in '
            'cls_seg, so that there are no feature and no logits to take from '
            f'it; {BACKBONE_INSTEAD}'
        )
    return conv_seg


def check_fit(main: nn.Module, head: GPaCoAuxHead) -> None:
    """Check that a head can contrast what the main head gives.

    Args:
        main (nn.Module): The main head.
        head (GPaCoAuxHead): A head with ``source='decode_head'``.

    Raises:
        ValueError: If the main head has no ``conv_seg``, or the heads differ
            in classes, channels or the ignore label.
    """
    name = type(main).__name__
    for key, theirs, ours in (
        ('channels', _conv_seg(main).in_channels, head.in_channels),
        ('num_classes', main.num_classes, head.num_classes),
        ('ignore_index', main.ignore_index, head.ignore_index),
    ):
        if theirs != ours:
            raise ValueError(
                f'{name}, the main head, has {key}={theirs}, but '
                f'GPaCoAuxHead, which takes its feature and logits, has '
                f'{"in_channels" if key == "channels" else key}={ours}; set '
                f'{theirs} in both'
            )
    if head.num_classes < 2:
        raise ValueError(
            f'contrast needs two classes or more, but {name} has num_classes='
            f'{main.num_classes}; set num_classes=2 with a softmax loss, or '
            'gpaco=None in the segmentor'
        )
    if main.out_channels != main.num_classes:
        raise ValueError(
            f'{name} has out_channels={main.out_channels}, but contrast needs '
            f'a center for each of {main.num_classes} classes (num_classes); '
            'leave out out_channels'
        )
