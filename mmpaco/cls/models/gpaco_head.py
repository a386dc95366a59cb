"""The classification head of PaCo and GPaCo."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Optional, Union

import torch
from mmengine.dist import get_world_size
from mmpretrain.models.heads import LinearClsHead
from mmpretrain.structures import DataSample
from torch import Tensor

from mmpaco.engine.distributed import other_rows
from mmpaco.engine.merged_config import DELETE_BASE, merged_config
from mmpaco.engine.nonfinite_guard import NonFiniteGuard
from mmpaco.engine.strength_report import report_strength
from mmpaco.losses import (
    ClassPrior,
    ContrastiveLoss,
    EmbeddingQueue,
    PaCoLoss,
)
from mmpaco.registry import MODELS

from .batch_checks import (
    accuracies,
    batch_labels,
    check_pooled,
    count_images,
)

_PAPERS_LOSS: dict[str, Any] = dict(
    type='mmpaco.PaCoLoss', alpha=0.05, temperature=0.2
)


class _Anchors(NamedTuple):
    """Unit rows (N, D), their classes (N, ) and scores (N, C)."""

    embeddings: Tensor
    labels: Tensor
    logits: Tensor


@MODELS.register_module()
class GPaCoHead(LinearClsHead):
    """A linear classifier whose rows are the centers of a contrastive loss.

    It trains inside the stock ``ImageClassifier``, on views that
    ``mmpaco.MultiViewDataPreprocessor`` joins (GPaCo), or inside
    ``mmpaco.PaCoClassifier``. At inference only the classifier runs, so the
    checkpoint also loads in ``LinearClsHead``.

    Add ``mmpaco.PaCoQueueHook`` to ``custom_hooks`` for the queue and
    ``mmpaco.ClassPriorHook`` for the class prior.

    Args:
        num_classes (int): The class count C.
        in_channels (int): Size of the pooled feature.
        loss (dict | ContrastiveLoss, optional): The loss or its config, any
            :class:`mmpaco.losses.ContrastiveLoss`: ``mmpaco.PaCoLoss``, a
            baseline, ``mmpaco.MultiTaskLoss`` or ``mmpaco.SupConLoss``, or
            one of your own. Where it trains no classifier (SupCon), that is
            frozen here and has no meaning until a second stage trains one.
            Defaults to PaCoLoss in the papers' setting for ImageNet-LT,
            alpha 0.05 and temperature 0.2; without a ``type`` it says what
            differs from that.
        projector (dict, optional): What differs from the defaults of
            ``mmpaco.Projector``, which are GPaCo's: three layers without
            norm, 128 outputs.
        queue_length (int): Embeddings in the queue; 0 for none. Defaults to
            8192.
        num_views (int): Views of each image in a batch; the last one enters
            the queue. Defaults to 2.
        class_prior (bool): Whether the loss is told the training images per
            class: for long-tailed sets yes, for balanced ones no. A loss
            that has no use for them needs no ``ClassPriorHook``. Defaults to
            True.
        gather (bool): Whether the rows of all ranks are contrasts, with
            gradients to them. Else those of this rank are, and the queue,
            which holds the keys of all ranks in either case. Defaults to
            False, as in the release.
        init_cfg (dict, optional): Initialisation. Defaults to that of
            ``LinearClsHead`` for the classifier alone.
        **kwargs: Other arguments of ``LinearClsHead``.

    Raises:
        TypeError: If the loss is no ``ContrastiveLoss``.
        ValueError: If ``queue_length`` is negative, ``num_views`` is not
            positive, or ``cal_acc`` asks for the accuracy of a classifier
            that is not trained.

    Example:
        >>> import torch
        >>> from mmpaco.cls.models import GPaCoHead
        >>> from mmpretrain.structures import DataSample
        >>> head = GPaCoHead(num_classes=3, in_channels=16, queue_length=64)
        >>> head.prior.set_class_counts([50, 10, 2])
        >>> samples = [DataSample().set_gt_label(i) for i in (0, 2)]
        >>> feats = (torch.randn(4, 16),)
        >>> losses = head.loss(feats, 2 * samples)
        >>> list(losses)
        ['loss']
        >>> head.queue.append(*head.queue.take_staged())
        >>> len(head.queue.contents()[0])
        2
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        loss: Optional[Union[dict[str, Any], ContrastiveLoss]] = None,
        projector: Optional[dict[str, Any]] = None,
        queue_length: int = 8192,
        num_views: int = 2,
        class_prior: bool = True,
        gather: bool = False,
        init_cfg: Optional[dict[str, Any]] = None,
        **kwargs: Any,
    ) -> None:
        if init_cfg is None:
            init_cfg = dict(type='Normal', std=0.01, override=dict(name='fc'))
        if loss is None:
            loss = _PAPERS_LOSS
        elif isinstance(loss, dict) and 'type' not in loss:
            loss = {**_PAPERS_LOSS, **loss}
        if isinstance(loss, dict):
            with merged_config('loss', str(loss['type'])):
                loss = MODELS.build(loss)
        with merged_config('head', 'mmpaco.GPaCoHead'):
            super().__init__(
                num_classes,
                in_channels,
                init_cfg=init_cfg,
                loss=loss,
                **kwargs,
            )
        if not isinstance(self.loss_module, ContrastiveLoss):
            told = DELETE_BASE.format(key='loss', type='mmpaco.PaCoLoss')
            raise TypeError(
                'GPaCoHead needs a loss that is a ContrastiveLoss, such as '
                'mmpaco.PaCoLoss, mmpaco.SupConLoss or mmpaco.MultiTaskLoss, '
                f'but got {type(self.loss_module).__name__}; {told}'
            )
        if not self.loss_module.trains_centers:
            # DDP waits for the gradient of whatever may have one.
            self.fc.requires_grad_(False)
            if self.cal_acc:
                raise ValueError(
                    f'{type(self.loss_module).__name__} trains no '
                    'classifier, so its accuracy has no meaning; set '
                    'cal_acc=False'
                )
        if gather and (
            self.loss_module.reduction != 'mean'
            or self.loss_module.ignore_index is not None
        ):
            raise ValueError(
                'gather=True weighs the ranks by their images, so the loss '
                "must have reduction='mean' and no ignore_index, but got "
                f'{self.loss_module.reduction!r} and '
                f'{self.loss_module.ignore_index}'
            )
        if queue_length < 0:
            raise ValueError(
                'queue_length must not be negative (0 means no '
                f'queue), but got {queue_length}'
            )
        if num_views < 1:
            raise ValueError(
                f'num_views must be positive, but got {num_views}'
            )
        self.num_views = num_views
        self.gather = gather
        self.projector = MODELS.build(
            {
                'type': 'mmpaco.Projector',
                **(projector or {}),
                'in_channels': in_channels,
            }
        )
        self.guard = NonFiniteGuard('GPaCoHead', self.projector)
        self.queue = (
            EmbeddingQueue(queue_length, self.projector.out_channels)
            if queue_length
            else None
        )
        self.prior = (
            ClassPrior(num_classes)
            if class_prior and self.loss_module.uses_class_counts
            else None
        )
        self._is_reported = False

    def loss(
        self,
        feats: tuple[Tensor],
        data_samples: list[DataSample],
        keys: Optional[Tensor] = None,
        **kwargs: Any,
    ) -> dict[str, Tensor]:
        """Compute the loss and stage the keys for the queue.

        Args:
            feats (tuple[Tensor]): Features of the stages; the last, of shape
                (N, in_channels), is used. N counts all views, view-major,
                or view 1 alone if keys are given.
            data_samples (list[DataSample]): The N data samples.
            keys (Tensor, optional): Embeddings of the second view from a
                momentum encoder, of shape (N, D). Then they enter the queue
                and the rows of ``feats`` are the only anchors (PaCo).
            **kwargs: Not used; ``ImageClassifier`` may pass some.

        Returns:
            dict[str, Tensor]: ``loss``, and accuracies if ``cal_acc``.

        Raises:
            RuntimeError: If the class prior was not set or nobody put the
                last keys in the queue (the message names the hook to add), or
                a value is not finite.
            ValueError: If the batch is not made of ``num_views`` views.
        """
        features, logits = self.features_and_logits(feats)
        anchors = _Anchors(
            self.projector(features),
            batch_labels(features, data_samples),
            logits,
        )
        if keys is None:
            num_images = self.check_views(data_samples)
            new_keys = anchors.embeddings[-num_images:]
        else:
            num_images, new_keys = len(keys), keys
        loss = self._contrast(anchors, keys)
        self.guard(
            loss,
            anchors.embeddings,
            self.loss_module.temperature,
            *(features, anchors.logits, *(() if keys is None else (keys,))),
        )
        losses = dict(loss=loss)
        if self.training:
            self.report_strength(num_images)
            if self.queue is not None:
                self.queue.stage(new_keys, anchors.labels[-num_images:])
        if self.cal_acc:
            losses.update(
                accuracies(anchors.logits, anchors.labels, self.topk)
            )
        return losses

    def features_and_logits(
        self, feats: tuple[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Give what the projector embeds, and the scores of the centers.

        Args:
            feats (tuple[Tensor]): Features of the stages.

        Returns:
            tuple[Tensor, Tensor]: Pooled features of shape (N, in_channels)
            and class scores of shape (N, C).

        Raises:
            ValueError: If the features are not pooled.
        """
        pre_logits = self.pre_logits(feats)
        check_pooled(pre_logits, self.in_channels)
        return pre_logits, self.fc(pre_logits)

    def _contrast(self, anchors: _Anchors, keys: Optional[Tensor]) -> Tensor:
        """Contrast with the keys, the rows of other ranks and the queue."""
        contrasts: list[tuple[Tensor, ...]] = []
        weight = 1.0
        if self.gather:
            others = other_rows(anchors.embeddings, anchors.labels, keys)
            weight = others.weight
            if keys is not None:
                contrasts.append(tuple(others.keys))
            contrasts.append((others.rows, others.labels))
        elif keys is not None:
            contrasts.append((keys, anchors.labels))
        if self.queue is not None:
            contrasts.append(self.queue.contents())
        extra_features, extra_labels = (
            (torch.cat(x) for x in zip(*contrasts))
            if contrasts
            else (None, None)
        )
        class_counts = None if self.prior is None else self.prior()
        loss: Tensor = self.loss_module(
            *anchors, extra_features, extra_labels, class_counts
        )
        return loss * weight

    def check_views(self, data_samples: Sequence[DataSample]) -> int:
        """Check that a batch is made of views of the same images.

        Args:
            data_samples (Sequence[DataSample]): The samples of the batch.

        Returns:
            int: The number of images.

        Raises:
            ValueError: If it is not.
        """
        return count_images(data_samples, self.num_views)

    def report_strength(self, num_images: int) -> None:
        """Log alpha x K of ``mmpaco.PaCoLoss``, once.

        ``mmpaco.ClassPriorHook`` calls it before training; without the hook
        the first loss does.

        Args:
            num_images (int): Images of a batch of this rank.
        """
        if self._is_reported:
            return
        self._is_reported = True
        if not isinstance(self.loss_module, PaCoLoss):
            return
        num_ranks = get_world_size() if self.gather else 1
        contrasts = self.num_views * num_images * num_ranks - 1
        if self.queue is not None:
            contrasts += self.queue.length
        shares, of = [1 / self.num_classes], 'a balanced set'
        if self.prior is not None:
            counts = self.prior().double()
            shares, of = (counts / counts.sum()).tolist(), 'the training set'
        report_strength(self.loss_module.alpha, shares, contrasts, of)
