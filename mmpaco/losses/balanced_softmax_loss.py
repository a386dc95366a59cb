"""Balanced Softmax, the papers' main baseline.

Meta-Softmax, Ren et al., NeurIPS 2020, https://arxiv.org/abs/2007.10740; with
a factor tau of the log prior the logit-adjusted loss, Menon et al., ICLR 2021,
https://arxiv.org/abs/2007.07314
"""

from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .checks import check_numbers
from .class_counts import CountsLike, check_counts_of_loss
from .class_prior import ClassPrior, log_class_prior
from .head_loss import reduced


def balanced_softmax_loss(
    logits: Tensor,
    labels: Tensor,
    class_counts: Tensor,
    ignore_index: int = -100,
    tau: float = 1.0,
) -> Tensor:
    """Cross-entropy of logits that are shifted by the log prior.

    Args:
        logits (Tensor): Class scores of shape (N, C) or (N, C, ...).
        labels (Tensor): Class indices of shape (N, ) or (N, ...).
        class_counts (Tensor): Training images, or pixels, per class, or
            shares, of shape (C, ).
        ignore_index (int): The label that adds no loss.
        tau (float): Factor of the log prior. Defaults to 1.0.

    Returns:
        Tensor: One float32 loss for each label, of the labels' shape; zero
        where the label is ``ignore_index``. (float64 for float64 logits.)

    Raises:
        TypeError: If the counts are no tensor of real numbers.
        ValueError: If there is not one count for each class, or, on the host,
            one is negative, infinite or nan, or all are zero.

    Example:
        >>> import torch
        >>> from mmpaco.losses import balanced_softmax_loss
        >>> counts, labels = torch.tensor([9, 1]), torch.tensor([0, 1])
        >>> balanced_softmax_loss(torch.zeros(2, 2), labels, counts)
        tensor([0.1054, 2.3026])
    """
    check_counts_of_loss(class_counts, logits)
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    prior = tau * log_class_prior(class_counts, logits.dtype)
    shape = (1, -1) + (1,) * (logits.dim() - 2)
    return F.cross_entropy(
        logits + prior.view(shape),
        labels,
        ignore_index=ignore_index,
        reduction='none',
    )


class BalancedSoftmaxLoss(nn.Module):
    """Balanced Softmax for the stock heads of mmpretrain and mmseg.

    In a decode head of mmseg the counts are pixels, and the loss of a pixel
    is what that of an image is elsewhere; its mean is over all pixels, those
    that are ignored too, as mmseg's own ``CrossEntropyLoss`` does by default.

    Args:
        num_classes (int): The class count C.
        loss_weight (float): Factor of the loss. Defaults to 1.0.
        class_counts (Sequence[float] | Tensor, optional): Training images, or
            pixels, per class, or shares. Defaults to None:
            ``mmpaco.ClassPriorHook`` counts them before training.
        loss_name (str): Name of the loss in the log of mmseg. Defaults to
            'loss_balanced_softmax'.
        ignore_index (int): The label that adds no loss, where the head does
            not tell, as mmseg's ``DDRHead`` and ``PIDHead``. Defaults to
            -100.
        tau (float): Factor of the log prior: with another one than 1 this is
            the logit-adjusted loss. Defaults to 1.0.

    Raises:
        ValueError: If the name does not begin with ``loss_``, without which
            mmseg would not train by it, tau is negative or not finite, or the
            counts do not fit.

    Example:
        >>> import torch
        >>> from mmpaco.losses import BalancedSoftmaxLoss
        >>> loss = BalancedSoftmaxLoss(3, class_counts=[90, 9, 1])
        >>> loss(torch.zeros(2, 3), torch.tensor([0, 2]))
        tensor(2.3553)
    """

    def __init__(
        self,
        num_classes: int,
        loss_weight: float = 1.0,
        class_counts: Optional[CountsLike] = None,
        loss_name: str = 'loss_balanced_softmax',
        ignore_index: int = -100,
        tau: float = 1.0,
    ) -> None:
        super().__init__()
        if not loss_name.startswith('loss_'):
            raise ValueError(
                "loss_name must begin with 'loss_', since mmseg adds up what "
                f'is named so, but got {loss_name!r}'
            )
        check_numbers(tau=tau)
        self.prior = ClassPrior(num_classes, class_counts)
        self.loss_weight = loss_weight
        self.loss_name = loss_name
        self.ignore_index = ignore_index
        self.tau = tau

    def forward(
        self,
        cls_score: Tensor,
        target: Tensor,
        weight: Optional[Tensor] = None,
        avg_factor: Optional[float] = None,
        ignore_index: Optional[int] = None,
        reduction_override: Optional[str] = None,
    ) -> Tensor:
        """Compute the mean loss.

        Args:
            cls_score (Tensor): Class scores of shape (N, C) or (N, C, ...).
            target (Tensor): Class indices of shape (N, ) or (N, ...).
            weight (Tensor, optional): A factor for each label.
            avg_factor (float, optional): What the sum is divided by.
                Defaults to the number of labels.
            ignore_index (int, optional): The label that adds no loss.
                mmseg's heads pass their own. Defaults to that of the loss.
            reduction_override (str, optional): 'mean', 'sum', or 'none', as
                a pixel sampler of mmseg asks for. Defaults to 'mean'.

        Returns:
            Tensor: The loss, a scalar, or of the target's shape for 'none'.

        Raises:
            RuntimeError: If the class prior has not been set.
            ValueError: If the reduction is unknown, or is given an
                ``avg_factor`` that it has no use for.
        """
        if ignore_index is None:
            ignore_index = self.ignore_index
        loss = balanced_softmax_loss(
            cls_score, target, self.prior(), ignore_index, self.tau
        )
        return reduced(
            loss, self.loss_weight, weight, avg_factor, reduction_override
        )

    def extra_repr(self) -> str:
        """Show the arguments when the module is printed."""
        return (
            f'loss_weight={self.loss_weight}, loss_name={self.loss_name!r}, '
            f'tau={self.tau}'
        )
