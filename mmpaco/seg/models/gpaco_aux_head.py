"""The auxiliary head that contrasts the pixels of an image.

Generalized Parametric Contrastive Learning, Cui et al., TPAMI 2023,
https://arxiv.org/abs/2209.12400, section 4.4
"""

from collections.abc import Sequence
from typing import Any, Optional, Union, cast

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.utils import SampleList
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmpaco.engine.merged_config import DELETE_BASE, merged_config
from mmpaco.engine.nonfinite_guard import NonFiniteGuard
from mmpaco.losses import ClassPrior, PaCoLoss
from mmpaco.registry import MODELS

from .decode_head_output import DecodeHeadOutput
from .graph_check import check_graph
from .label_maps import check_label_maps, nearest_labels
from .pixel_strength import PixelStrength
from .positions import draw_positions, take_positions

_SOURCES = ('decode_head', 'backbone')
_PAPERS_LOSS: dict[str, Any] = dict(
    type='mmpaco.PaCoLoss', alpha=0.01, temperature=0.07
)


@MODELS.register_module()
class GPaCoAuxHead(BaseDecodeHead):
    """Parametric contrast between the pixels of each image.

    Each image is a loss of its own: up to ``num_samples`` random positions
    of the feature map are embedded by a projector and contrasted with each
    other and with the class centers, which are the rows of the classifier
    that gives the logits. The norms of the projector see these positions
    alone. Ignored pixels are contrasts, but no anchors. The loss is the mean
    over the images.

    With ``source='decode_head'``, the papers' setting, feature and logits
    are those of the main head; the segmentor must be
    ``mmpaco.GPaCoEncoderDecoder``, which makes such a head by itself. With
    ``source='backbone'`` the head has a 3 x 3 convolution on a stage of the
    backbone and centers of its own, and trains in the stock
    ``EncoderDecoder`` beside any main head.

    The head takes no part in inference; without its weights
    (``gpaco_head.*``, or ``auxiliary_head.*`` of one that the config names)
    the checkpoint is that of the stock model.

    Args:
        in_channels (int | Sequence[int]): Channels of the main head's feature
            (its ``channels``), or of the stage of the backbone.
        channels (int, optional): Channels of the feature which the projector
            sees, and of its hidden layers. From the main head that is
            ``in_channels``, which is the default.
        num_classes (int): The class count C.
        source (str): 'decode_head' or 'backbone'. Defaults to 'decode_head'.
        num_samples (int): Positions of each image that take part; -1 for
            all. Defaults to 8192.
        sample_after_projector (bool): Whether positions are drawn of what the
            projector made of the whole map, as in the papers' release, whose
            norms see all positions. It takes more time and memory, in
            proportion to the positions. Defaults to False, as in the paper.
        embed_channels (int): Embedding size D. Defaults to 128.
        loss_decode (dict, optional): Config of the loss, whose ignore label
            is that of the head; one without a type says what differs from
            the default. Defaults to the papers' setting,
            ``dict(type='mmpaco.PaCoLoss', alpha=0.01, temperature=0.07)``.
        loss_weight (float): Factor of the loss. Defaults to 1.0.
        class_prior (bool): Whether the loss is told the pixels per class in
            the training set, which ``mmpaco.ClassPriorHook`` counts unless
            they are given. Defaults to False, as in the papers.
        class_counts (Sequence[int], optional): These pixels; a class prior
            is then used in any case. Defaults to None.
        ignore_index (int, optional): The label that is ignored. Defaults to
            255.
        dropout_ratio (float): Dropout before centers of its own. Defaults
            to 0.1.
        init_cfg (dict, optional): Initialisation. Defaults to that of
            ``BaseDecodeHead`` for centers of its own, and to mmcv's and
            PyTorch's own for the rest.
        **kwargs: Other arguments of ``BaseDecodeHead``, such as ``norm_cfg``
            and ``act_cfg`` of the projector, which should be those of the
            main head, or ``in_index``.

    Raises:
        TypeError: If the loss is not ``mmpaco.PaCoLoss``, or ``num_samples``
            is no whole number.
        ValueError: If an argument is out of range or does not fit another.

    Example:
        >>> import torch
        >>> from mmpaco.seg.models import GPaCoAuxHead
        >>> head = GPaCoAuxHead(
        ...     8, 4, num_classes=3, source='backbone', num_samples=20
        ... )
        >>> embeddings, scores, positions = head([torch.randn(2, 8, 5, 6)])
        >>> embeddings.shape, positions.shape
        (torch.Size([2, 20, 128]), torch.Size([2, 20]))
        >>> scores.shape
        torch.Size([2, 3, 5, 6])
    """

    def __init__(
        self,
        in_channels: Union[int, Sequence[int]],
        channels: Optional[int] = None,
        *,
        num_classes: int,
        source: str = 'decode_head',
        num_samples: int = 8192,
        sample_after_projector: bool = False,
        embed_channels: int = 128,
        loss_decode: Optional[dict[str, Any]] = None,
        loss_weight: float = 1.0,
        class_prior: bool = False,
        class_counts: Optional[Sequence[int]] = None,
        ignore_index: Optional[int] = 255,
        dropout_ratio: float = 0.1,
        init_cfg: Optional[dict[str, Any]] = None,
        **kwargs: Any,
    ) -> None:
        if source not in _SOURCES:
            raise ValueError(
                f'source must be one of {_SOURCES}, but got {source!r}'
            )
        if isinstance(num_samples, bool) or not isinstance(num_samples, int):
            raise TypeError(
                'num_samples must be a whole number of positions, or -1 for '
                f'all, but got {num_samples!r}'
            )
        if num_samples < 1 and num_samples != -1:
            raise ValueError(
                'num_samples must be positive, or -1 for all positions, but '
                f'got {num_samples}'
            )
        if source == 'decode_head':
            if channels is None:
                channels = cast(int, in_channels)
            if channels != in_channels:
                raise ValueError(
                    f'the feature of the main head has {in_channels} channels '
                    f'(in_channels), but got channels={channels}; leave out '
                    'channels'
                )
        else:
            if channels is None:
                raise ValueError(
                    "source='backbone' needs the channels of the 3 x 3 "
                    'convolution, but got channels=None; half or a quarter '
                    f'of in_channels={in_channels} is usual'
                )
            if init_cfg is None:
                init_cfg = dict(
                    type='Normal', std=0.01, override=dict(name='conv_seg')
                )
        if loss_decode is None:
            loss_decode = _PAPERS_LOSS
        elif isinstance(loss_decode, dict) and 'type' not in loss_decode:
            loss_decode = {**_PAPERS_LOSS, **loss_decode}
        with merged_config('auxiliary_head', 'mmpaco.GPaCoAuxHead'):
            super().__init__(
                in_channels,
                channels,
                num_classes=num_classes,
                loss_decode=loss_decode,
                ignore_index=ignore_index,
                dropout_ratio=dropout_ratio if source == 'backbone' else 0,
                init_cfg=init_cfg,
                **kwargs,
            )
        self._check_loss()
        if self.out_channels != num_classes:
            raise ValueError(
                f'contrast needs a center for each of {num_classes} classes '
                f'(num_classes), but got out_channels={self.out_channels}; '
                'leave out out_channels'
            )
        if self.sampler is not None:
            raise ValueError(
                f'got sampler={type(self.sampler).__name__}, but positions '
                'are drawn at random; set num_samples instead'
            )
        self.source = source
        self.num_samples = num_samples
        self.sample_after_projector = sample_after_projector
        self.loss_weight = loss_weight
        if source == 'decode_head':
            # DDP would wait for the gradient of centers that nobody uses.
            del self.conv_seg
        else:
            self.conv = self._conv_module(self.in_channels, kernel_size=3)
        self.projector = nn.Sequential(
            self._conv_module(channels, kernel_size=1),
            self._conv_module(channels, kernel_size=1),
            nn.Conv2d(channels, embed_channels, kernel_size=1),
        )
        self.guard = NonFiniteGuard('GPaCoAuxHead', self.projector)
        self._strength = PixelStrength(self.loss_decode.alpha, num_classes)
        self.prior = (
            ClassPrior(num_classes, class_counts)
            if class_prior or class_counts is not None
            else None
        )

    def _check_loss(self) -> None:
        if not isinstance(self.loss_decode, PaCoLoss):
            told = DELETE_BASE.format(
                key='auxiliary_head', type='mmpaco.GPaCoAuxHead'
            )
            raise TypeError(
                "GPaCoAuxHead needs loss_decode=dict(type='mmpaco.PaCoLoss', "
                f'...), but got {type(self.loss_decode).__name__}; {told}'
            )
        if self.loss_decode.reduction != 'mean':
            raise ValueError(
                'the loss of an image is the mean over its anchors, but got '
                f'reduction={self.loss_decode.reduction!r}; leave it out'
            )
        if self.loss_decode.ignore_index not in (None, self.ignore_index):
            raise ValueError(
                f'the loss ignores label {self.loss_decode.ignore_index} and '
                f'the head {self.ignore_index}; set ignore_index in the head '
                'alone'
            )
        self.loss_decode.ignore_index = self.ignore_index

    def _conv_module(self, in_channels: int, kernel_size: int) -> ConvModule:
        return ConvModule(
            in_channels,
            self.channels,
            kernel_size,
            padding=kernel_size // 2,
            conv_cfg=self.conv_cfg,
            norm_cfg=self.norm_cfg,
            act_cfg=self.act_cfg,
        )

    def forward(
        self, inputs: Union[DecodeHeadOutput, Sequence[Tensor]]
    ) -> tuple[Tensor, Tensor, Optional[Tensor]]:
        """Draw positions of each image and embed what is there.

        Args:
            inputs (DecodeHeadOutput | Sequence[Tensor]): What the main head
                hands over, or the stages of the backbone.

        Returns:
            tuple[Tensor, Tensor, Tensor | None]: Embeddings of the N
            positions that were drawn of each image, unit rows of shape
            (B, N, D), in float32 at least; class scores of all positions, of
            shape (B, C, h, w); and the positions, as indices of the h * w,
            of shape (B, N), or None if they are all, in their order.

        Raises:
            TypeError: If the main head hands nothing over.
            ValueError: If batch norm in the projector would see one position
                in all.
        """
        if self.source == 'backbone':
            feature = self.conv(self._transform_inputs(inputs))
            logits = self.cls_seg(feature)
        elif isinstance(inputs, DecodeHeadOutput):
            feature, logits = inputs
        else:
            raise TypeError(
                "source='decode_head' needs the feature and the logits of the "
                'main head, but got the features of the backbone; use '
                "model=dict(type='mmpaco.GPaCoEncoderDecoder', ...), or set "
                "source='backbone' in mmpaco.GPaCoAuxHead"
            )
        positions = draw_positions(self.num_samples, logits)
        if positions is None or self.sample_after_projector:
            embeddings = take_positions(self._embed(feature), positions)
        else:
            feature = take_positions(feature, positions)[..., None]
            embeddings = self._embed(feature).flatten(2)
        return embeddings.transpose(1, 2), logits, positions

    def _embed(self, feature: Tensor) -> Tensor:
        """Embed each position of a map, as vectors of length one."""
        if feature.numel() == feature.shape[1]:
            self._check_norms()
        embeddings = self.projector(feature)
        # Half precision is too coarse for a division by the temperature.
        dtype = torch.promote_types(embeddings.dtype, torch.float32)
        return F.normalize(embeddings.to(dtype), dim=1)

    def _check_norms(self) -> None:
        """Check that no norm of the projector is that of a batch."""
        for norm in self.projector.modules():
            # Synchronised ones see those of other ranks, too.
            if (
                isinstance(norm, _BatchNorm)
                and not isinstance(norm, nn.SyncBatchNorm)
                and norm.training
            ):
                raise ValueError(
                    'batch norm in the projector needs more than one '
                    'position, but got one of a single image '
                    f'(num_samples={self.num_samples}); draw more, or set '
                    'another norm_cfg, such as '
                    "norm_cfg=dict(type='GN', num_groups=...)"
                )

    def loss_by_feat(
        self,
        seg_logits: tuple[Tensor, Tensor, Optional[Tensor]],
        batch_data_samples: SampleList,
    ) -> dict[str, Tensor]:
        """Compute the loss.

        Args:
            seg_logits (tuple[Tensor, Tensor, Tensor | None]): What
                :meth:`forward` gives: embeddings, unit rows of shape
                (B, N, D), class scores of shape (B, C, h, w), and positions.
            batch_data_samples (list[SegDataSample]): The B data samples with
                their label maps of shape (1, H, W).

        Returns:
            dict[str, Tensor]: ``loss_gpaco``, a scalar.

        Raises:
            TypeError: If the labels are not integers.
            ValueError: If they do not fit the images or the classes.
            RuntimeError: If a value is not finite, or the embeddings have
                no gradient.
        """
        embeddings, logits, positions = seg_logits
        check_graph(embeddings, self.projector, 'GPaCoAuxHead', 'projector')
        if len(batch_data_samples) != len(embeddings):
            raise ValueError(
                f'got {len(batch_data_samples)} data samples for '
                f'{len(embeddings)} images; expected one for each'
            )
        check_label_maps(
            batch_data_samples, self.num_classes, self.ignore_index
        )
        labels = self._stack_batch_gt(batch_data_samples).squeeze(1).long()
        labels = nearest_labels(labels, logits.shape[-2:])
        labels = take_positions(labels, positions)
        if self.training:
            self._strength(labels)
        loss = self.loss_decode(
            embeddings,
            labels,
            take_positions(logits, positions).transpose(1, 2),
            class_counts=None if self.prior is None else self.prior(),
        )
        # The scores of the whole map: where they are finite, so is what a
        # projector of the whole map sees.
        self.guard(loss, embeddings, self.loss_decode.temperature, logits)
        return dict(loss_gpaco=loss * self.loss_weight)
