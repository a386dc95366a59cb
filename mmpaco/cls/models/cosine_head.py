"""A classifier by cosines, as LDAM has it."""

from typing import Any

import torch
import torch.nn.functional as F
from mmpretrain.models.heads import LinearClsHead
from mmpretrain.models.heads.margin_head import NormProduct
from torch import Tensor, nn

from mmpaco.registry import MODELS


def unit_rows(rows: Tensor) -> Tensor:
    """Bring rows to length one; one of zeros stays.

    Args:
        rows (Tensor): Shape (..., D).

    Returns:
        Tensor: The same shape and type.
    """
    # The least divisor of F.normalize is 0 in float16.
    dtype = torch.promote_types(rows.dtype, torch.float32)
    return F.normalize(rows.to(dtype), dim=-1).to(rows.dtype)


class ScaledCosines(NormProduct):
    """Cosines of features and class weights, times a scale.

    The weights begin uniform, and then brought to length one.

    Args:
        in_features (int): Channels of the features.
        out_features (int): The class count C.
        scale (float): Factor of the cosines.
    """

    def __init__(
        self, in_features: int, out_features: int, scale: float
    ) -> None:
        super().__init__(in_features, out_features)
        self.scale = scale
        # Here, and not by an init_cfg: those of mmengine are for a layer that
        # is a Linear, or the class next to it.
        nn.init.uniform_(self.weight, -1, 1)
        with torch.no_grad():
            self.weight.copy_(unit_rows(self.weight))

    def forward(self, features: Tensor) -> Tensor:
        """Give the scores of features.

        Args:
            features (Tensor): Of shape (N, in_features).

        Returns:
            Tensor: Of shape (N, C).
        """
        cosines = F.linear(unit_rows(features), unit_rows(self.weight))
        return self.scale * cosines


def check_scale(scale: float, loss: nn.Module) -> None:
    """Raise a ``ValueError`` for a scale of a head that its loss has not."""
    expected = getattr(loss, 'scale', scale)
    if not scale > 0 or scale != expected:
        raise ValueError(
            'scale must be positive, and that of the loss, but got '
            f'{scale} in the head and {expected} in {type(loss).__name__}'
        )


@MODELS.register_module()
class CosineClsHead(LinearClsHead):
    """``LinearClsHead`` whose scores are cosines, times a scale.

    Features and the weights of a class are brought to length one; there is no
    bias. The scale is in the scores, at test too, so that softmax makes sense
    of them; ``mmpaco.LDAMLoss`` is told the same one (LDAM, Cao et al.,
    NeurIPS 2019, https://arxiv.org/abs/1906.07413).

    Args:
        num_classes (int): The class count C.
        in_channels (int): Channels of the features.
        scale (float): Factor of the cosines. Defaults to 30.0.
        **kwargs: Other arguments of ``LinearClsHead``, such as ``loss``.

    Raises:
        ValueError: If the scale is not positive, or the loss has another.

    Example:
        >>> import torch
        >>> from mmengine.registry import init_default_scope
        >>> from mmpaco.registry import MODELS
        >>> init_default_scope('mmpretrain')
        >>> head = MODELS.build(
        ...     dict(
        ...         type='mmpaco.CosineClsHead',
        ...         num_classes=3,
        ...         in_channels=8,
        ...         loss=dict(type='mmpaco.LDAMLoss', num_classes=3),
        ...     )
        ... )
        >>> scores = head((head.fc.weight,)).diagonal()  # of cosines of 1
        >>> [round(x, 2) for x in scores.tolist()]
        [30.0, 30.0, 30.0]
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        scale: float = 30.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_classes, in_channels, **kwargs)
        check_scale(scale, self.loss_module)
        self.fc = ScaledCosines(in_channels, num_classes, scale)
