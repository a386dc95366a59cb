"""Segmentors that train with GPaCo beside the losses of mmseg.

Generalized Parametric Contrastive Learning, Cui et al., TPAMI 2023,
https://arxiv.org/abs/2209.12400, section 4.4
"""

from collections.abc import Mapping
from types import MappingProxyType
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

from .decode_head_output import DecodeHeadOutput, record_cls_seg
from .gpaco_aux_head import GPaCoAuxHead
from .graph_check import check_graph
from .head_fit import BACKBONE_INSTEAD, check_fit, make_head
from .label_maps import check_label_maps

_NOTHING_DIFFERS: Mapping[str, Any] = MappingProxyType({})


class _HandOver(BaseSegmentor):
    """Mixin of an mmseg segmentor that contrasts what the main head gives."""

    def __init__(
        self,
        *args: Any,
        gpaco: Optional[Mapping[str, Any]] = _NOTHING_DIFFERS,
        **kwargs: Any,
    ) -> None:
        if not isinstance(gpaco, (Mapping, type(None))):
            raise TypeError(
                'gpaco must be a dict of arguments of mmpaco.GPaCoAuxHead, or '
                f'None for no such head, but got {gpaco!r}'
            )
        is_cascade = isinstance(self, CascadeEncoderDecoder)
        if ('num_stages' in kwargs) != is_cascade and not args:
            base, ours = (
                ('an EncoderDecoder', 'mmpaco.GPaCoEncoderDecoder')
                if is_cascade
                else (
                    'a CascadeEncoderDecoder, with num_stages',
                    'mmpaco.GPaCoCascadeEncoderDecoder',
                )
            )
            raise ValueError(
                f'the config is that of {base}; use model.type={ours}'
            )
        super().__init__(*args, **kwargs)
        self.gpaco_head: Optional[GPaCoAuxHead] = None
        if not self._gpaco_heads():
            if gpaco is not None:
                self.gpaco_head = make_head(self._main_head(), gpaco)
        elif gpaco:
            raise ValueError(
                'auxiliary_head has a GPaCoAuxHead, but the segmentor is to '
                f'make one, too, by gpaco={dict(gpaco)}; leave out one of them'
            )
        for head in self._gpaco_heads():
            if _asks(head):
                check_fit(self._main_head(), head)

    def _main_head(self) -> BaseDecodeHead:
        """Return the head that makes the prediction, the last of a cascade."""
        heads = self.decode_head
        return heads[-1] if isinstance(heads, nn.ModuleList) else heads

    def _extra_heads(self) -> dict[str, BaseDecodeHead]:
        """Return all heads that only train, by the prefixes of their losses.

        Those of auxiliary heads are mmseg's.
        """
        heads = self.auxiliary_head if self.with_auxiliary_head else None
        extra = {}
        if isinstance(heads, nn.ModuleList):
            extra = {f'aux_{i}': head for i, head in enumerate(heads)}
        elif heads is not None:
            extra = {'aux': heads}
        if self.gpaco_head is not None:
            extra['gpaco'] = self.gpaco_head
        return extra

    def _gpaco_heads(self) -> list[GPaCoAuxHead]:
        heads = self._extra_heads().values()
        return [head for head in heads if isinstance(head, GPaCoAuxHead)]

    def loss(
        self, inputs: Tensor, data_samples: SampleList
    ) -> dict[str, Tensor]:
        """Compute the losses of all heads.

        Args:
            inputs (Tensor): Images of shape (B, 3, H, W).
            data_samples (list[SegDataSample]): The B data samples, with label
                maps of shape (1, H, W).

        Returns:
            dict[str, Tensor]: The losses, named as by ``EncoderDecoder``, and
            ``gpaco.loss_gpaco`` of the head that was made.

        Raises:
            RuntimeError: If the main head does not end in ``cls_seg``, or
                gets no gradient.
            TypeError: If the labels are not integers.
            ValueError: If they do not fit the images or the classes.
        """
        losses: dict[str, Tensor]
        heads = self._gpaco_heads()
        if not heads:
            losses = super().loss(inputs, data_samples)
            return losses
        # First of all: the main head would enlarge its logits to any size of
        # labels, and stop at a bad one with an index error.
        for head in heads:
            check_label_maps(
                data_samples,
                head.num_classes,
                head.ignore_index,
                inputs.shape[-2:],
            )
        features = self.extract_feat(inputs)
        output = None
        if any(_asks(head) for head in heads):
            losses, output = self._main_losses(features, data_samples)
        else:
            losses = self._decode_head_forward_train(features, data_samples)
        for prefix, head in self._extra_heads().items():
            head_inputs = output if _asks(head) else features
            losses.update(
                add_prefix(
                    head.loss(head_inputs, data_samples, self.train_cfg),
                    prefix,
                )
            )
        return losses

    def _main_losses(
        self, features: list[Tensor], data_samples: SampleList
    ) -> tuple[dict[str, Tensor], DecodeHeadOutput]:
        """Compute the main head's losses, and note what its end was given."""
        main = self._main_head()
        with record_cls_seg(main) as record:
            losses = self._decode_head_forward_train(features, data_samples)
        if record.output is None:
            raise RuntimeError(
                f'{type(main).__name__} did not call its conv_seg: it does '
                'not end in cls_seg, so that there are no feature and no '
                f'logits to take from it; {BACKBONE_INSTEAD}'
            )
        check_graph(
            record.output.logits,
            main.conv_seg,
            type(main).__name__,
            'conv_seg',
        )
        return losses, record.output


def _asks(head: nn.Module) -> bool:
    return isinstance(head, GPaCoAuxHead) and head.source == 'decode_head'


@MODELS.register_module()
class GPaCoEncoderDecoder(_HandOver, EncoderDecoder):
    """``EncoderDecoder`` that also contrasts the pixels of each image.

    In any config of mmseg whose main head ends in ``cls_seg``, this type is
    all that has to change: an ``mmpaco.GPaCoAuxHead`` is made that fits the
    main head (``gpaco_head``; its loss is ``gpaco.loss_gpaco``). While the
    main head is trained, its feature before dropout and its low-resolution
    logits are noted and handed over. Inference is that of
    ``EncoderDecoder``, which loads the checkpoint without ``gpaco_head.*``.

    Args:
        *args: Arguments of ``EncoderDecoder``. Each ``mmpaco.GPaCoAuxHead``
            among its auxiliary heads that has ``source='decode_head'`` is
            handed the same; then none is made.
        gpaco (dict, optional): Arguments of ``mmpaco.GPaCoAuxHead`` that
            differ from its defaults, which are the papers' setting, and from
            the channels, classes, ignore label, norm and activation of the
            main head. ``None``: no head is made. Defaults to an empty dict.
        **kwargs: Arguments of ``EncoderDecoder``.

    Raises:
        TypeError: If ``gpaco`` is neither a dict nor ``None``.
        ValueError: If the main head does not end in ``cls_seg``, it and a
            head that takes its feature differ in classes, channels or the
            ignore label, or ``gpaco`` is given beside a
            ``mmpaco.GPaCoAuxHead``.

    Example:
        >>> from mmengine import Config
        >>> from mmengine.registry import MODELS, init_default_scope
        >>> init_default_scope('mmseg')
        >>> model = MODELS.build(Config(dict(model=dict(
        ...     type='mmpaco.GPaCoEncoderDecoder',
        ...     backbone=dict(type='ResNetV1c', depth=18),
        ...     decode_head=dict(type='FCNHead', in_channels=512, channels=64,
        ...                      num_classes=19),
        ...     gpaco=dict(num_samples=4096)))).model)
        >>> model.gpaco_head.num_classes, model.gpaco_head.channels
        (19, 64)
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
        gpaco (dict, optional): As in ``mmpaco.GPaCoEncoderDecoder``.
        **kwargs: Arguments of ``CascadeEncoderDecoder``.

    Raises:
        TypeError: As by ``mmpaco.GPaCoEncoderDecoder``.
        ValueError: As by ``mmpaco.GPaCoEncoderDecoder``.

    Example:
        >>> from mmengine import Config
        >>> from mmengine.registry import MODELS, init_default_scope
        >>> init_default_scope('mmseg')
        >>> fcn = dict(in_channels=512, channels=32, num_classes=19)
        >>> ocr = dict(fcn, channels=64, ocr_channels=32)
        >>> model = MODELS.build(Config(dict(model=dict(
        ...     type='mmpaco.GPaCoCascadeEncoderDecoder', num_stages=2,
        ...     backbone=dict(type='ResNetV1c', depth=18),
        ...     decode_head=[dict(fcn, type='FCNHead'),
        ...                  dict(ocr, type='OCRHead')]))).model)
        >>> model.gpaco_head.channels
        64
    """
