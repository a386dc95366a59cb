"""Segmentors that hand the main head's feature and logits over."""

import contextlib
from collections.abc import Iterator
from typing import Any, Optional

from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.segmentors import (
    BaseSegmentor,
    CascadeEncoderDecoder,
    EncoderDecoder,
)
from mmseg.utils import SampleList, add_prefix
from torch import Tensor, nn

from mmpaco.registry import MODELS

from .gpaco_aux_head import DecodeHeadOutput, GPaCoAuxHead
from .graph_check import check_graph
from .label_maps import check_label_maps

_BACKBONE_INSTEAD = (
    "set source='backbone' in mmpaco.GPaCoAuxHead, with in_channels and "
    'in_index of a stage of the backbone'
)


class _Record:
    """What one forward of a head showed; never kept on a module."""

    def __init__(self) -> None:
        self.output: Optional[DecodeHeadOutput] = None
        self._dropped: Optional[tuple[Tensor, Tensor]] = None

    def note_dropout(
        self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor
    ) -> None:
        self._dropped = inputs[0], output

    def note_logits(
        self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor
    ) -> None:
        feature = inputs[0]
        # Some heads use their dropout more than once: only what it made of
        # this very feature counts.
        if self._dropped is not None and self._dropped[1] is feature:
            feature = self._dropped[0]
        self.output = DecodeHeadOutput(feature, output)


@contextlib.contextmanager
def record_cls_seg(head: BaseDecodeHead) -> Iterator[_Record]:
    """Note what the ``cls_seg`` of a decode head is given, and what it gives.

    ``loss`` of a head calls its ``forward`` directly, past all hooks of the
    head, but not past those of its layers.

    Args:
        head (BaseDecodeHead): A decode head that has ``conv_seg``.

    Yields:
        _Record: Holds the ``output`` of the last call, or None.
    """
    record = _Record()
    with contextlib.ExitStack() as hooks:
        if isinstance(head.dropout, nn.Module):
            hooks.enter_context(
                head.dropout.register_forward_hook(record.note_dropout)
            )
        hooks.enter_context(
            head.conv_seg.register_forward_hook(record.note_logits)
        )
        yield record


class _HandOver(BaseSegmentor):
    """Mixin of an mmseg segmentor whose auxiliary heads ask the main head."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for head in self._asking_heads():
            _check_pair(self._main_head(), head)

    def _main_head(self) -> BaseDecodeHead:
        """Return the head that makes the prediction, the last of a cascade."""
        heads = self.decode_head
        return heads[-1] if isinstance(heads, nn.ModuleList) else heads

    def _auxiliary_heads(self) -> dict[str, BaseDecodeHead]:
        """Return the auxiliary heads by mmseg's prefixes of their losses."""
        if not self.with_auxiliary_head:
            return {}
        heads = self.auxiliary_head
        if isinstance(heads, nn.ModuleList):
            return {f'aux_{i}': head for i, head in enumerate(heads)}
        return {'aux': heads}

    def _asking_heads(self) -> list[GPaCoAuxHead]:
        return [h for h in self._auxiliary_heads().values() if _asks(h)]

    def loss(
        self, inputs: Tensor, data_samples: SampleList
    ) -> dict[str, Tensor]:
        """Compute the losses of all heads.

        Args:
            inputs (Tensor): Images of shape (B, 3, H, W).
            data_samples (list[SegDataSample]): The B data samples, with label
                maps of shape (1, H, W).

        Returns:
            dict[str, Tensor]: The losses, named as by ``EncoderDecoder``.

        Raises:
            RuntimeError: If the main head does not end in ``cls_seg``, or
                gets no gradient.
            TypeError: If the labels are not integers.
            ValueError: If they do not fit the images or the classes.
        """
        losses: dict[str, Tensor]
        asking_heads = self._asking_heads()
        if not asking_heads:
            losses = super().loss(inputs, data_samples)
            return losses
        # First of all: the main head would enlarge its logits to any size of
        # labels, and stop at a bad one with an index error.
        for head in asking_heads:
            check_label_maps(
                data_samples,
                head.num_classes,
                head.ignore_index,
                inputs.shape[-2:],
            )
        features = self.extract_feat(inputs)
        main_head = self._main_head()
        with record_cls_seg(main_head) as record:
            losses = self._decode_head_forward_train(features, data_samples)
        if record.output is None:
            raise RuntimeError(
                f'{type(main_head).__name__} did not call its conv_seg: it '
                'does not end in cls_seg, so that there are no feature and no '
                f'logits to take from it; {_BACKBONE_INSTEAD}'
            )
        check_graph(
            record.output.logits,
            main_head.conv_seg,
            type(main_head).__name__,
            'conv_seg',
        )
        for prefix, head in self._auxiliary_heads().items():
            head_inputs = record.output if _asks(head) else features
            losses.update(
                add_prefix(
                    head.loss(head_inputs, data_samples, self.train_cfg),
                    prefix,
                )
            )
        return losses


def _asks(head: nn.Module) -> bool:
    return isinstance(head, GPaCoAuxHead) and head.source == 'decode_head'


def _check_pair(main: nn.Module, head: GPaCoAuxHead) -> None:
    """Raise a ``ValueError`` for heads that do not fit each other."""
    name = type(main).__name__
    conv_seg = getattr(main, 'conv_seg', None)
    if not isinstance(conv_seg, nn.Module):
        raise ValueError(
            f'{name} has no conv_seg: it does not end in cls_seg, so that '
            'there are no feature and no logits to take from it; '
            + _BACKBONE_INSTEAD
        )
    for key, theirs, ours in (
        ('num_classes', main.num_classes, head.num_classes),
        ('ignore_index', main.ignore_index, head.ignore_index),
        ('channels', conv_seg.in_channels, head.in_channels),
    ):
        if theirs != ours:
            raise ValueError(
                f'{name}, the main head, has {key}={theirs}, but '
                f'GPaCoAuxHead, which takes its feature and logits, has '
                f'{"in_channels" if key == "channels" else key}={ours}; set '
                f'{theirs} in both'
            )
    if main.out_channels != main.num_classes:
        raise ValueError(
            f'{name} has out_channels={main.out_channels}, but contrast needs '
            f'a center for each of {main.num_classes} classes (num_classes); '
            'leave out out_channels'
        )


@MODELS.register_module()
class GPaCoEncoderDecoder(_HandOver, EncoderDecoder):
    """``EncoderDecoder`` that lets auxiliary heads contrast the main feature.

    While the main head is trained, its feature before dropout and its
    low-resolution logits are noted, and handed over to each
    ``mmpaco.GPaCoAuxHead`` with ``source='decode_head'``. That works with any
    main head that ends in ``cls_seg``. Inference is that of
    ``EncoderDecoder``.

    Args:
        *args: Arguments of ``EncoderDecoder``.
        **kwargs: Arguments of ``EncoderDecoder``.

    Raises:
        ValueError: If the main head does not end in ``cls_seg``, or it and
            an auxiliary head that asks for its feature differ in classes,
            channels or the ignore label.
    """

    def _init_decode_head(self, decode_head: dict[str, Any]) -> None:
        if isinstance(decode_head, (list, tuple)):
            raise ValueError(
                f'got {len(decode_head)} decode heads; a cascade of heads '
                "needs model=dict(type='mmpaco.GPaCoCascadeEncoderDecoder', "
                '...)'
            )
        super()._init_decode_head(decode_head)


@MODELS.register_module()
class GPaCoCascadeEncoderDecoder(_HandOver, CascadeEncoderDecoder):
    """``mmpaco.GPaCoEncoderDecoder`` for a cascade of heads, such as OCRNet's.

    The main head is the last of the cascade.

    Args:
        *args: Arguments of ``CascadeEncoderDecoder``.
        **kwargs: Arguments of ``CascadeEncoderDecoder``.

    Raises:
        ValueError: As by ``mmpaco.GPaCoEncoderDecoder``.
    """
