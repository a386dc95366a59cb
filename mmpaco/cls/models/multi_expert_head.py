"""A classifier of cosines for each expert."""

from typing import Any

import torch
from mmpretrain.models.heads import ClsHead
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmpaco.registry import MODELS

from .batch_checks import check_pooled, loss_of_several
from .cosine_head import ScaledCosines, check_scale


@MODELS.register_module()
class MultiExpertClsHead(ClsHead):
    """The classifiers of E experts, whose scores are averaged.

    Each expert has cosines of its own, times a scale, as
    ``mmpaco.CosineClsHead``. What the head gives is their mean, so that
    prediction, metrics and tools are those of any head. A loss of experts,
    ``mmpaco.RIDELoss``, is given the scores of each, of shape (E, N, C), and
    any other one their mean (RIDE, Wang et al., ICLR 2021,
    https://arxiv.org/abs/2010.01809).

    Args:
        num_classes (int): The class count C.
        in_channels (int): Channels of the features of an expert.
        num_experts (int): Number of experts E, that of the backbone.
            Defaults to 3.
        scale (float): Factor of the cosines. Defaults to 30.0.
        **kwargs: Arguments of mmpretrain's ``ClsHead``: ``loss``, ``topk``,
            ``cal_acc``, ``init_cfg``.

    Raises:
        ValueError: If a number is not positive, or the loss has another
            scale.

    Example:
        >>> import torch
        >>> from mmengine.registry import init_default_scope
        >>> from mmpaco.registry import MODELS
        >>> init_default_scope('mmpretrain')
        >>> head = MODELS.build(
        ...     dict(
        ...         type='mmpaco.MultiExpertClsHead',
        ...         num_classes=10,
        ...         in_channels=8,
        ...         loss=dict(type='mmpaco.RIDELoss', num_classes=10),
        ...     )
        ... )
        >>> features = tuple(torch.randn(3, 4, 8))  # three experts
        >>> head(features).shape
        torch.Size([4, 10])
        >>> head.expert_scores(features).shape
        torch.Size([3, 4, 10])
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        num_experts: int = 3,
        scale: float = 30.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if min(num_classes, in_channels, num_experts) < 1:
            raise ValueError(
                'num_classes, in_channels and num_experts must be positive, '
                f'but got {num_classes}, {in_channels} and {num_experts}'
            )
        check_scale(scale, self.loss_module)
        self.num_classes = num_classes
        self.in_channels = in_channels
        self.num_experts = num_experts
        self.fc = nn.ModuleList(
            ScaledCosines(in_channels, num_classes, scale)
            for _ in range(num_experts)
        )

    def pre_logits(self, feats: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Give what each classifier sees.

        Args:
            feats (tuple[Tensor]): E features of shape (N, D), pooled.

        Returns:
            tuple[Tensor]: The same.

        Raises:
            ValueError: If there is not one feature for each expert, or they
                are not pooled.
        """
        if len(feats) != self.num_experts:
            raise ValueError(
                f'the head has {self.num_experts} experts (num_experts), but '
                f'got {len(feats)} features; use a backbone with as many, '
                'such as mmpaco.MultiExpertResNet'
            )
        for feat in feats:
            check_pooled(feat, self.in_channels)
        return feats

    def expert_scores(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Give the scores of each expert.

        Args:
            feats (tuple[Tensor]): E features of shape (N, D), pooled.

        Returns:
            Tensor: Of shape (E, N, C).

        Raises:
            ValueError: As by :meth:`pre_logits`.
        """
        pairs = zip(self.fc, self.pre_logits(feats))
        return torch.stack([fc(x) for fc, x in pairs])

    def forward(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Give the mean of the scores of all experts.

        Args:
            feats (tuple[Tensor]): E features of shape (N, D), pooled.

        Returns:
            Tensor: Of shape (N, C).
        """
        return self.expert_scores(feats).mean(0)

    def loss(
        self,
        feats: tuple[Tensor, ...],
        data_samples: list[DataSample],
        **kwargs: Any,
    ) -> dict[str, Tensor]:
        """Compute the loss of a batch.

        Args:
            feats (tuple[Tensor]): E features of shape (N, D), pooled.
            data_samples (list[DataSample]): The labels of N images.
            **kwargs: Other arguments of the loss module.

        Returns:
            dict[str, Tensor]: ``loss``, and with ``cal_acc`` the accuracy of
            the mean.

        Raises:
            ValueError: If a loss of experts is given an image that has not
                exactly one class.
        """
        scores = self.expert_scores(feats)
        output = scores.mean(0)
        if getattr(self.loss_module, 'of_experts', False):
            return loss_of_several(
                self, scores, output, data_samples, **kwargs
            )
        losses: dict[str, Tensor] = self._get_loss(
            output, data_samples, **kwargs
        )
        return losses
