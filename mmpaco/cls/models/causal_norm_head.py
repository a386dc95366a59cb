"""The classifier of De-confound-TDE, also called Causal Norm.

Long-Tailed Classification by Keeping the Good and Removing the Bad Momentum
Causal Effect, Tang et al., NeurIPS 2020, https://arxiv.org/abs/2009.12991
"""

from typing import Any, Optional

import torch.nn.functional as F
from mmpretrain.models.heads import LinearClsHead
from mmpretrain.models.heads.margin_head import NormProduct
from mmpretrain.structures import DataSample
from torch import Tensor

from mmpaco.losses import FeatureMean
from mmpaco.registry import MODELS

from .batch_checks import check_pooled
from .cosine_head import unit_rows


class CosineParts(NormProduct):
    """The mean of cosines of K parts of a feature, times a scale.

    The weights begin as PyTorch's own, uniform up to 1 / sqrt(D): those of
    mmengine are for a layer that is a Linear, or the class next to it.

    Args:
        in_features (int): Channels D of the features.
        out_features (int): The class count C.
        num_heads (int): The number K of parts.
        scale (float): Factor of the cosines.
        gamma (float): What is added to the length of a weight.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        num_heads: int,
        scale: float,
        gamma: float,
    ) -> None:
        super().__init__(in_features, out_features)
        self.num_heads = num_heads
        self.scale = scale
        self.gamma = gamma

    def parts(self, rows: Tensor) -> Tensor:
        """Bring the parts of rows to length one; one of zeros stays.

        Args:
            rows (Tensor): Shape (..., D).

        Returns:
            Tensor: Shape (..., K, D / K).
        """
        return unit_rows(self._split(rows))

    def scores(self, parts: Tensor) -> Tensor:
        """Give the scores of parts.

        Args:
            parts (Tensor): Shape (N, K, D / K).

        Returns:
            Tensor: Shape (N, C).
        """
        weight = self._split(self.weight)
        weight = weight / (weight.norm(dim=-1, keepdim=True) + self.gamma)
        scores = F.linear(parts.flatten(1), weight.flatten(1))
        return self.scale / self.num_heads * scores

    def _split(self, rows: Tensor) -> Tensor:
        return rows.reshape(*rows.shape[:-1], self.num_heads, -1)

    def forward(self, features: Tensor) -> Tensor:
        """Give the scores of features.

        Args:
            features (Tensor): Shape (N, D).

        Returns:
            Tensor: Shape (N, C).
        """
        return self.scores(self.parts(features))


@MODELS.register_module()
class CausalNormHead(LinearClsHead):
    r"""A cosine classifier that removes the mean feature at test.

    Feature and weights are split into K parts. In training, with any loss,

    .. math::
        z_c = \frac{s}{K} \sum_k
        \frac{x^k}{\|x^k\|} \cdot \frac{w_c^k}{\|w_c^k\| + \gamma}

    and a running mean e of the training features is kept, in the checkpoint
    too. At test what points along it is taken out of each part first:

    .. math::
        \frac{x^k}{\|x^k\|} - \alpha \cos(x^k, e^k) \frac{e^k}{\|e^k\|}

    Before any training e is zero, and nothing is taken out. Add
    ``mmpaco.CausalNormHook`` to ``custom_hooks``, which lets features enter
    the mean.

    Args:
        num_classes (int): The class count C.
        in_channels (int): Channels D of the features.
        alpha (float): Strength at test; with 0 the scores are those of
            training. A rule of thumb of the release is that alpha times the
            mean cosine of features and their mean be 1. Its values are 1.5
            for CIFAR-100-LT and 3.0 for ImageNet-LT. Defaults to 1.5.
        num_heads (int): The number K of parts. Defaults to 2.
        scale (float): The factor s. Defaults to 16.0.
        gamma (float): What is added to the length of a weight. Defaults to
            1 / 32.
        momentum (float): Of the mean, as of ``FeatureMean``. Defaults to 0.9.
        full_rate (float, optional): Likewise. Defaults to None.
        **kwargs: Other arguments of ``LinearClsHead``, such as ``loss``.

    Raises:
        ValueError: If an argument is out of range, or the channels cannot be
            split into as many parts.

    Example:
        >>> import torch
        >>> from mmpaco.registry import MODELS
        >>> head = MODELS.build(
        ...     dict(
        ...         type='mmpaco.CausalNormHead', num_classes=3, in_channels=4
        ...     )
        ... ).eval()
        >>> features = torch.rand(2, 4)
        >>> before = head((features,))
        >>> torch.equal(before, head.fc(features))
        True
        >>> head.mean.move(features.mean(0))  # as the hook does
        >>> torch.equal(head((features,)), before)
        False
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        alpha: float = 1.5,
        num_heads: int = 2,
        scale: float = 16.0,
        gamma: float = 1 / 32,
        momentum: float = 0.9,
        full_rate: Optional[float] = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_classes, in_channels, **kwargs)
        for name, value, is_fine, expected in (
            ('alpha', alpha, alpha >= 0, 'not negative'),
            ('scale', scale, scale > 0, 'positive'),
            ('gamma', gamma, gamma > 0, 'positive'),
        ):
            if not is_fine or value == float('inf'):
                raise ValueError(
                    f'{name} must be finite and {expected}, but got {value}'
                )
        if num_heads < 1 or in_channels % num_heads:
            raise ValueError(
                'num_heads must be positive and divide in_channels='
                f'{in_channels}, but got {num_heads}'
            )
        self.alpha = alpha
        self.fc = CosineParts(
            in_channels, num_classes, num_heads, scale, gamma
        )
        self.mean = FeatureMean(in_channels, momentum, full_rate)

    def forward(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Give the scores, of training or of test by the mode of the head.

        Args:
            feats (tuple[Tensor]): Features, the last of shape (N, D).

        Returns:
            Tensor: Shape (N, C).
        """
        features = self.pre_logits(feats)
        check_pooled(features, self.in_channels)
        parts = self.fc.parts(features)
        if not self.training:
            mean = self.fc.parts(self.mean()).to(parts.dtype)
            cosines = (parts * mean).sum(-1, keepdim=True)
            parts = parts - self.alpha * cosines * mean
        return self.fc.scores(parts)

    def loss(
        self,
        feats: tuple[Tensor, ...],
        data_samples: list[DataSample],
        **kwargs: Any,
    ) -> dict[str, Tensor]:
        """Compute the loss, and stage the features for the mean.

        Args:
            feats (tuple[Tensor]): Features, the last of shape (N, D).
            data_samples (list[DataSample]): The N data samples.
            **kwargs: Other arguments of the loss.

        Returns:
            dict[str, Tensor]: As by ``LinearClsHead``.

        Raises:
            RuntimeError: If nobody has let the last features enter.
        """
        losses: dict[str, Tensor] = super().loss(feats, data_samples, **kwargs)
        if self.training:
            self.mean.stage(self.pre_logits(feats))
        return losses
