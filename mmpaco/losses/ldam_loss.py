"""Label-distribution-aware margins.

LDAM-DRW, Cao et al., NeurIPS 2019, https://arxiv.org/abs/1906.07413
"""

from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor

from .checks import check_numbers
from .class_counts import CountsLike, counts_of_images
from .head_loss import ReweightedHeadLoss


class LDAMLoss(ReweightedHeadLoss):
    r"""Cross-entropy of scaled cosines, less a margin for the true class.

    .. math::
        \frac{\sum_i v_{y_i}\, \mathrm{CE}(z_i, y_i)}{\sum_i v_{y_i}}
        \qquad z_{ic} = s\,(q_{ic} - m_c\,[c = y_i])

    with the :meth:`margins` m and, once re-weighting is on, the weights v of
    :func:`effective_number_weights`; until then v is 1. The head gives the
    cosines times the scale, s q, as ``mmpaco.CosineClsHead`` does: the loss
    subtracts s m alone.

    Args:
        num_classes (int): The class count C.
        max_margin (float): Margin of the rarest class, of a cosine. Defaults
            to 0.5.
        scale (float): The scale s of the cosines that it is given. Defaults
            to 30.0.
        beta (float): Base of the effective number of images; at 0 there are
            no class weights. Defaults to 0.9999.
        loss_weight (float): Factor of the loss. Defaults to 1.0.
        class_counts (Sequence[float] | Tensor, optional): Training images per
            class. Defaults to None: ``mmpaco.ClassPriorHook`` counts them
            before training.

    Raises:
        ValueError: If an argument is out of range, or the counts do not fit.

    Example:
        >>> import torch
        >>> from mmpaco.losses import LDAMLoss
        >>> loss = LDAMLoss(2, class_counts=[1600, 100])
        >>> loss.margins()
        tensor([0.2500, 0.5000])
        >>> scores, labels = torch.zeros(2, 2), torch.tensor([0, 1])
        >>> loss(scores, labels)
        tensor(11.2503)
        >>> loss.set_reweighting(True)
        >>> loss(scores, labels)
        tensor(14.5271)
    """

    def __init__(
        self,
        num_classes: int,
        max_margin: float = 0.5,
        scale: float = 30.0,
        beta: float = 0.9999,
        loss_weight: float = 1.0,
        class_counts: Optional[CountsLike] = None,
    ) -> None:
        super().__init__(
            num_classes, class_counts, loss_weight, beta, False, 'weights'
        )
        check_numbers(max_margin=max_margin, scale=scale)
        self.max_margin = max_margin
        self.scale = scale

    def margins(self, dtype: torch.dtype = torch.float32) -> Tensor:
        r"""Give the margin of each class.

        :math:`m_c = m_{max} (n_c / \min_k n_k)^{-1/4}`

        Args:
            dtype (torch.dtype): Their precision. Defaults to float32.

        Returns:
            Tensor: Shape (C, ). A class without images has the margin of the
            rarest one with images.

        Raises:
            RuntimeError: If the class counts are not set.
        """
        counts, rarest = counts_of_images(self.prior().to(dtype))
        return self.max_margin * (counts / rarest) ** -0.25

    def losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Compute the cross-entropy of each image with its margin."""
        margins = self.margins(logits.dtype)[labels]
        shift = torch.zeros_like(logits).scatter(
            1, labels[:, None], self.scale * margins[:, None]
        )
        return F.cross_entropy(logits - shift, labels, reduction='none')
