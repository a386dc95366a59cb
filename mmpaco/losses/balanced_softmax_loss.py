"""Balanced Softmax, the papers' main baseline.

Meta-Softmax, Ren et al., NeurIPS 2020, https://arxiv.org/abs/2007.10740
"""

from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .class_prior import ClassPrior, log_class_prior


def balanced_softmax_loss(
    logits: Tensor,
    labels: Tensor,
    class_counts: Tensor,
    ignore_index: int = -100,
) -> Tensor:
    """Cross-entropy of logits that are shifted by the log prior.

    Args:
        logits (Tensor): Class scores of shape (N, C) or (N, C, ...).
        labels (Tensor): Class indices of shape (N, ) or (N, ...).
        class_counts (Tensor): Training images per class, of shape (C, ).
        ignore_index (int): The label that adds no loss.

    Returns:
        Tensor: One float32 loss for each label, of the labels' shape; zero
        where the label is ``ignore_index``. (float64 for float64 logits.)

    Raises:
        ValueError: If the number of counts is not the number of logits.
    """
    if class_counts.shape != logits.shape[1:2]:
        raise ValueError(
            f'expected one class count for each of {logits.shape[1]} logits, '
            f'but got shape {tuple(class_counts.shape)}'
        )
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    prior = log_class_prior(class_counts, logits.dtype)
    shape = (1, -1) + (1,) * (logits.dim() - 2)
    return F.cross_entropy(
        logits + prior.view(shape),
        labels,
        ignore_index=ignore_index,
        reduction='none',
    )


class BalancedSoftmaxLoss(nn.Module):
    """Balanced Softmax for the stock heads of mmpretrain.

    Args:
        num_classes (int): The class count C.
        loss_weight (float): Factor of the loss. Defaults to 1.0.
    """

    def __init__(self, num_classes: int, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.prior = ClassPrior(num_classes)
        self.loss_weight = loss_weight

    def forward(
        self,
        cls_score: Tensor,
        target: Tensor,
        weight: Optional[Tensor] = None,
        avg_factor: Optional[float] = None,
        ignore_index: int = -100,
    ) -> Tensor:
        """Compute the mean loss.

        Args:
            cls_score (Tensor): Class scores of shape (N, C) or (N, C, ...).
            target (Tensor): Class indices of shape (N, ) or (N, ...).
            weight (Tensor, optional): A factor for each label.
            avg_factor (float, optional): What the sum is divided by.
                Defaults to the number of labels.
            ignore_index (int): The label that adds no loss.

        Returns:
            Tensor: The loss, a scalar.

        Raises:
            RuntimeError: If the class prior has not been set.
        """
        loss = balanced_softmax_loss(
            cls_score, target, self.prior(), ignore_index
        )
        if weight is not None:
            loss = loss * weight
        return self.loss_weight * loss.sum() / (avg_factor or loss.numel())
