"""A linear classifier with a scale for the score of each class."""

from typing import Any

import torch
from mmpretrain.models.heads import LinearClsHead
from torch import Tensor, nn

from mmpaco.registry import MODELS


@MODELS.register_module()
class ScaledClsHead(LinearClsHead):
    """``LinearClsHead`` whose scores are scaled, each class by its own factor.

    Of features x the score of class c is z_c = f_c (w_c . x + b_c), and f
    starts at 1. In the second stage of LWS f alone is trained, on the
    classifier of the first (Decoupling, Kang et al., ICLR 2020,
    https://arxiv.org/abs/1910.09217); in that of MiSLAS all is (Zhong et al.,
    CVPR 2021, https://arxiv.org/abs/2104.00466). ``head.fc`` has the names
    that it has in ``LinearClsHead``, so that of the first stage is loaded.

    Args:
        *args: Arguments of ``LinearClsHead``, such as ``num_classes``.
        train_fc (bool): Whether w and b are trained, too. Defaults to False,
            as in LWS.
        **kwargs: As ``*args``.

    Example:
        >>> import torch
        >>> from mmpaco.registry import MODELS
        >>> head = MODELS.build(
        ...     dict(type='mmpaco.ScaledClsHead', num_classes=3, in_channels=8)
        ... )
        >>> [name for name, x in head.named_parameters() if x.requires_grad]
        ['scale']
        >>> head((torch.randn(2, 8),)).shape
        torch.Size([2, 3])
    """

    def __init__(
        self, *args: Any, train_fc: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.scale = nn.Parameter(torch.ones(self.num_classes))
        self.fc.requires_grad_(train_fc)

    def forward(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Give the scores.

        Args:
            feats (tuple[Tensor]): Features, the last of shape (N, D).

        Returns:
            Tensor: Of shape (N, C).
        """
        scores: Tensor = self.scale * super().forward(feats)
        return scores
