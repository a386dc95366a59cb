"""The classification head of PaCo and GPaCo."""

import logging
from collections.abc import Sequence
from typing import Any, Optional

import torch
from mmengine.dist import get_world_size
from mmengine.logging import print_log
from mmpretrain.evaluation.metrics import Accuracy
from mmpretrain.models.heads import LinearClsHead
from mmpretrain.structures import DataSample
from torch import Tensor

from mmpaco.contrast_strength import class_strength
from mmpaco.engine.distributed import gather_rows, other_rows
from mmpaco.engine.nonfinite_guard import NonFiniteGuard
from mmpaco.losses import (
    ClassPrior,
    EmbeddingQueue,
    MultiTaskLoss,
    PaCoLoss,
    SupConLoss,
)
from mmpaco.registry import MODELS

_LOSSES = (PaCoLoss, SupConLoss, MultiTaskLoss)


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
        loss (dict, optional): Config of the loss: ``mmpaco.PaCoLoss``, or a
            baseline, ``mmpaco.MultiTaskLoss`` or ``mmpaco.SupConLoss``.
            SupCon trains no classifier, so it is frozen here and has no
            meaning until a second stage trains one. Defaults to PaCoLoss in
            the papers' setting for ImageNet-LT, alpha 0.05 and temperature
            0.2.
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
        TypeError: If the loss is none of the three.
        ValueError: If ``queue_length`` is negative, ``num_views`` is not
            positive, or ``cal_acc`` asks for the accuracy of a classifier
            that is not trained.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        loss: Optional[dict[str, Any]] = None,
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
            loss = dict(type='mmpaco.PaCoLoss', alpha=0.05, temperature=0.2)
        super().__init__(
            num_classes, in_channels, init_cfg=init_cfg, loss=loss, **kwargs
        )
        if not isinstance(self.loss_module, _LOSSES):
            raise TypeError(
                "GPaCoHead needs loss=dict(type='mmpaco.PaCoLoss', ...), or "
                'mmpaco.SupConLoss or mmpaco.MultiTaskLoss, but got '
                f'{type(self.loss_module).__name__}'
            )
        if isinstance(self.loss_module, SupConLoss):
            # DDP waits for the gradient of whatever may have one.
            self.fc.requires_grad_(False)
            if self.cal_acc:
                raise ValueError(
                    'mmpaco.SupConLoss trains no classifier, so its accuracy '
                    'has no meaning; set cal_acc=False'
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
        self.guard = NonFiniteGuard('GPaCoHead')
        self.projector = MODELS.build(
            {
                'type': 'mmpaco.Projector',
                **(projector or {}),
                'in_channels': in_channels,
            }
        )
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
        pre_logits = self.pre_logits(feats)
        labels = self._labels(pre_logits, data_samples)
        logits = self.fc(pre_logits)
        embeddings = self.projector(pre_logits)
        if keys is None:
            num_images = self.check_views(data_samples)
            new_keys = embeddings[-num_images:], labels[-num_images:]
        else:
            new_keys = keys, labels
        self._report(len(labels) + (0 if keys is None else len(keys)))
        self.guard(pre_logits, logits, embeddings, new_keys[0])
        losses = dict(loss=self._contrast(embeddings, labels, logits, keys))
        if self.queue is not None and self.training:
            self.queue.stage(*new_keys)
        if self.cal_acc:
            # These are logits: a right class below zero is right, too.
            accuracy = Accuracy.calculate(
                logits, labels, topk=self.topk, thrs=(None,)
            )
            losses.update(
                {
                    f'accuracy_top-{k}': value
                    for k, (value,) in zip(self.topk, accuracy)
                }
            )
        return losses

    def _contrast(
        self,
        embeddings: Tensor,
        labels: Tensor,
        logits: Tensor,
        keys: Optional[Tensor],
    ) -> Tensor:
        """Contrast with the keys, the rows of other ranks and the queue."""
        contrasts: list[tuple[Tensor, ...]] = []
        weight = 1.0
        if keys is not None:
            contrasts.append((keys, labels))
        if self.gather:
            *others, weight = other_rows(embeddings, labels)
            contrasts.append(tuple(others))
            if keys is not None:
                contrasts[0] = tuple(gather_rows(keys, labels))
        if self.queue is not None:
            contrasts.append(self.queue.contents())
        extra_features, extra_labels = (
            (torch.cat(x) for x in zip(*contrasts))
            if contrasts
            else (None, None)
        )
        class_counts = None if self.prior is None else self.prior()
        loss: Tensor = self.loss_module(
            embeddings,
            labels,
            logits,
            extra_features,
            extra_labels,
            class_counts,
        )
        return loss * weight

    def _labels(
        self, pre_logits: Tensor, data_samples: Sequence[DataSample]
    ) -> Tensor:
        if pre_logits.shape[1:] != (self.in_channels,):
            raise ValueError(
                f'expected pooled features of shape (N, {self.in_channels}) '
                f'(in_channels), but got {tuple(pre_logits.shape)}; add '
                "neck=dict(type='GlobalAveragePooling'), or set in_channels"
            )
        if 'gt_score' in data_samples[0]:
            raise ValueError(
                'contrast needs one class for each image, but the data '
                'samples have gt_score; remove batch_augments and to_onehot '
                'from the data preprocessor'
            )
        labels = torch.cat([sample.gt_label for sample in data_samples])
        if labels.shape != pre_logits.shape[:1]:
            raise ValueError(
                f'got {len(pre_logits)} features for '
                f'{len(labels)} labels; expected one class for '
                'each image of the batch'
            )
        return labels

    def check_views(self, data_samples: Sequence[DataSample]) -> int:
        """Check that a batch is made of views of the same images.

        Args:
            data_samples (Sequence[DataSample]): The samples of the batch.

        Returns:
            int: The number of images.

        Raises:
            ValueError: If it is not.
        """
        num_rows = len(data_samples)
        per_view, rest = divmod(num_rows, self.num_views)
        # The preprocessor repeats the very objects, which costs nothing to
        # check, where equal labels would have to be read from the device.
        if rest or any(
            sample is not data_samples[i % per_view]
            for i, sample in enumerate(data_samples)
        ):
            raise ValueError(
                f'expected {self.num_views} views of each image, view-major, '
                f'but got a batch of {num_rows} other images; use '
                "data_preprocessor=dict(type='mmpaco."
                f"MultiViewDataPreprocessor', num_views={self.num_views}) "
                'and the MultiView transform, or set num_views=1'
            )
        return per_view

    def _report(self, num_rows: int) -> None:
        """Say once how strong the contrast of PaCo is."""
        if self._is_reported or self.prior is None or not self.training:
            return
        self._is_reported = True
        if not isinstance(self.loss_module, PaCoLoss):
            return
        contrasts = num_rows * (get_world_size() if self.gather else 1) - 1
        if self.queue is not None:
            contrasts += self.queue.length
        counts = self.prior.class_counts.float()
        shares = counts / counts.sum()
        most, least = (
            class_strength(self.loss_module.alpha, float(share), contrasts)
            for share in (shares.max(), shares.min())
        )
        print_log(
            f'alpha x K is {most.alpha_k:.3g} for the most frequent class '
            f'(K = {most.positives:.3g} positives) and {least.alpha_k:.3g} '
            f'for the least frequent one (K = {least.positives:.3g})',
            logger='current',
        )
        if not most.is_sane:
            print_log(most.advice, logger='current', level=logging.WARNING)
