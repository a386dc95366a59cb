"""The branches of ResLT on the last map of a network.

ResLT: Residual Learning for Long-tailed Recognition, Cui et al., TPAMI 2022,
https://arxiv.org/abs/2101.10633
"""

from typing import Any, Optional

import torch
import torch.nn.functional as F
from mmpretrain.models.heads import LinearClsHead
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmpaco.registry import MODELS

from .batch_checks import loss_of_several
from .tau_norm import normalize

_INIT = [
    dict(type='Kaiming', layer='Conv2d'),
    dict(type='Normal', layer='Linear', std=0.01),
]


@MODELS.register_module()
class ResLTHead(LinearClsHead):
    """Several branches of a map that share one linear classifier.

    ``mmpaco.ResLTLoss`` trains each branch on a group of classes and the sum
    of their scores, which is what predicts, on all. It takes the map of the
    last stage, so the model has ``neck=None``.

    The release tests otherwise than it trains on ImageNet-LT and iNaturalist
    2018, which ``test_tau`` and ``test_pool_first`` do; without them a model
    is tested as it was trained. ``tau_normalize.py`` finds a tau on a
    validation set instead.

    Args:
        num_classes (int): The class count C.
        in_channels (int): Channels of the map.
        loss (dict | nn.Module): ``mmpaco.ResLTLoss``, or a loss of your own
            on scores (E, N, C) that has the number of branches E as
            ``num_branches``.
        branch (str): 'norm', a batch norm for each branch, as for CIFAR; or
            'conv', a convolution of 1 x 1 with batch norm and ReLU for each,
            as for ImageNet-LT. Defaults to 'norm'.
        test_tau (float, optional): At test the weights of the classifier are
            divided by this power of their norm, and its bias is left out.
            Defaults to None: as they are.
        test_pool_first (bool): Whether at test the map is pooled before the
            branches and not after them. Defaults to False.
        init_cfg (dict | list[dict], optional): Initialisation. Defaults to
            that of ``LinearClsHead``, and Kaiming-normal convolutions.
        **kwargs: Other arguments of ``LinearClsHead``, such as ``topk``.

    Raises:
        TypeError: If the loss tells no number of branches.
        ValueError: If there is no such branch, or ``test_tau`` is negative.

    Example:
        >>> import torch
        >>> from mmpaco.registry import MODELS
        >>> head = MODELS.build(
        ...     dict(
        ...         type='mmpaco.ResLTHead',
        ...         num_classes=100,
        ...         in_channels=64,
        ...         loss=dict(
        ...             type='mmpaco.ResLTLoss',
        ...             num_classes=100,
        ...             beta=0.995,
        ...             groups=[100, 65, 30],
        ...         ),
        ...     )
        ... )
        >>> maps = (torch.randn(4, 64, 8, 8),)
        >>> head.branch_scores(maps).shape, head(maps).shape
        (torch.Size([3, 4, 100]), torch.Size([4, 100]))
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        loss: Any,
        branch: str = 'norm',
        test_tau: Optional[float] = None,
        test_pool_first: bool = False,
        init_cfg: Optional[Any] = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            num_classes,
            in_channels,
            init_cfg=_INIT if init_cfg is None else init_cfg,
            loss=loss,
            **kwargs,
        )
        found = getattr(self.loss_module, 'num_branches', None)
        if not isinstance(found, int):
            raise TypeError(
                'ResLTHead needs a loss of the scores of several branches, '
                'such as mmpaco.ResLTLoss, but got '
                f'{type(self.loss_module).__name__}'
            )
        if branch not in ('norm', 'conv'):
            raise ValueError(
                f"branch must be 'norm' or 'conv', but got {branch!r}"
            )
        if test_tau is not None and not 0 <= test_tau < float('inf'):
            raise ValueError(
                'test_tau must be a number from 0 on, or None for the '
                f'classifier as it is, but got {test_tau}'
            )
        self.num_branches: int = found
        self.branch = branch
        self.test_tau = test_tau
        self.test_pool_first = test_pool_first
        self.branches: Any = _branches(branch, found, in_channels)

    def branch_features(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Give the pooled features of each branch.

        Args:
            feats (tuple[Tensor]): Maps of the stages, the last of shape
                (N, in_channels, H, W).

        Returns:
            Tensor: Shape (E, N, in_channels).

        Raises:
            ValueError: If the last is no map, or of other channels.
        """
        maps = feats[-1]
        if maps.dim() != 4 or maps.shape[1] != self.in_channels:
            raise ValueError(
                f'expected a map of shape (N, {self.in_channels}, H, W) '
                f'(in_channels), but got {tuple(maps.shape)}; set neck=None '
                'in the model, or in_channels'
            )
        if self.test_pool_first and not self.training:
            maps = F.adaptive_avg_pool2d(maps, 1)
        if self.branch == 'norm':
            found = [branch(maps) for branch in self.branches]
        else:
            found = list(self.branches(maps).chunk(self.num_branches, 1))
        return torch.stack([x.mean((2, 3)) for x in found])

    def pre_logits(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Average the features of the branches.

        The scores of their mean by the classifier are the mean of the scores.

        Args:
            feats (tuple[Tensor]): Maps of the stages.

        Returns:
            Tensor: Shape (N, in_channels).
        """
        return self.branch_features(feats).mean(0)

    def branch_scores(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Give the scores of each branch.

        Args:
            feats (tuple[Tensor]): Maps of the stages.

        Returns:
            Tensor: Shape (E, N, C).
        """
        features = self.branch_features(feats)
        if self.training or self.test_tau is None:
            scores: Tensor = self.fc(features)
            return scores
        return F.linear(features, normalize(self.fc.weight, self.test_tau))

    def forward(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Give the sum of the scores of the branches.

        Args:
            feats (tuple[Tensor]): Maps of the stages.

        Returns:
            Tensor: Shape (N, C).
        """
        return self.branch_scores(feats).sum(0)

    def loss(
        self,
        feats: tuple[Tensor, ...],
        data_samples: list[DataSample],
        **kwargs: Any,
    ) -> dict[str, Tensor]:
        """Compute the loss of the branches and of their sum.

        Args:
            feats (tuple[Tensor]): Maps of the stages.
            data_samples (list[DataSample]): The N data samples.
            **kwargs: Other arguments of the loss.

        Returns:
            dict[str, Tensor]: ``loss``, and accuracies of the sum if
            ``cal_acc``.

        Raises:
            ValueError: If an image has not exactly one class.
        """
        scores = self.branch_scores(feats)
        return loss_of_several(
            self, scores, scores.sum(0), data_samples, **kwargs
        )


def _branches(kind: str, number: int, channels: int) -> nn.Module:
    """Make the branches, whose batch norm starts as the identity."""
    if kind == 'norm':
        return nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(number))
    wide = number * channels
    return nn.Sequential(
        nn.Conv2d(channels, wide, 1, bias=False),
        nn.BatchNorm2d(wide),
        nn.ReLU(inplace=True),
    )
