"""The feature and the logits of a decode head, noted while it runs."""

import contextlib
from collections.abc import Iterator
from typing import NamedTuple, Optional

from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import Tensor, nn


class DecodeHeadOutput(NamedTuple):
    """What the main head hands over to an auxiliary head.

    Args:
        feature (Tensor): Its fused feature, of shape (B, channels, h, w),
            before dropout.
        logits (Tensor): Its class scores, of shape (B, C, h, w), before they
            are enlarged.
    """

    feature: Tensor
    logits: Tensor


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
