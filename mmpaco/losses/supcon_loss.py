"""Supervised contrastive loss, the baseline without centers.

Supervised Contrastive Learning, Khosla et al., NeurIPS 2020,
https://arxiv.org/abs/2004.11362
"""

from typing import Any, Optional

import torch
from torch import Tensor

from .base import ContrastBatch, ContrastiveLoss
from .contrast import contrast_logsumexp
from .positives import dense_pairs, positive_sums


class SupConLoss(ContrastiveLoss):
    r"""Supervised contrastive loss (Khosla et al., Eq. 2; GPaCo, Eq. 3).

    Anchor i is pulled to its positives, the other rows of its class, against
    all other rows:

    .. math::
        \ell_i = -\frac{1}{|P_i|} \sum_{j \in P_i} (d_{ij} - \log Z_i), \quad
        Z_i = \sum_{j \ne i} e^{d_{ij}}, \quad
        d_{ij} = \langle f_i, f_j \rangle / \tau

    An anchor without a positive adds an exact zero, but counts in the mean.
    No classifier is trained: of the class scores it takes their number alone.
    The arguments are those of :class:`ContrastiveLoss`.

    Example:
        >>> import torch
        >>> from mmpaco.losses import SupConLoss
        >>> anchors, labels = torch.eye(4), torch.tensor([0, 0, 1, 1])
        >>> SupConLoss(0.1)(anchors, labels, torch.zeros(4, 2))
        tensor(1.0986)
    """

    trains_centers = False
    takes_images = True

    def anchor_losses(self, batch: ContrastBatch) -> Tensor:
        """Compute the losses without a matrix of all pairs."""
        sums, sizes = positive_sums(batch, self.temperature, self.ignore_index)
        log_z = contrast_logsumexp(
            batch.features,
            batch.extra_features,
            self.temperature,
            under_autocast=batch.under_autocast,
        )
        loss = log_z - sums / sizes.clamp(min=1)
        loss = torch.where(sizes > 0, loss, torch.zeros_like(loss))
        return loss * self.scale

    def dense_anchor_losses(self, batch: ContrastBatch) -> Tensor:
        """Compute the losses as the equation reads: the oracle."""
        similarities, is_positive = dense_pairs(batch, self.temperature)
        sizes = is_positive.sum(1)
        # A row of minus infinities alone has no gradient that is a number.
        similarities = similarities.masked_fill((sizes == 0)[:, None], 0)
        log_p = similarities - similarities.logsumexp(1, keepdim=True)
        log_p = log_p.masked_fill(~is_positive, 0)
        return -log_p.sum(1) / sizes.clamp(min=1) * self.scale


def supcon_loss(
    features: Tensor,
    labels: Tensor,
    num_classes: int,
    extra_features: Optional[Tensor] = None,
    extra_labels: Optional[Tensor] = None,
    **parameters: Any,
) -> Tensor:
    """Compute a :class:`SupConLoss` in one call, without class scores.

    Args:
        features (Tensor): This and the other tensors are as in
            :meth:`ContrastiveLoss.forward`.
        labels (Tensor): As there.
        num_classes (int): The class count C; labels are less.
        extra_features (Tensor, optional): As there.
        extra_labels (Tensor, optional): As there.
        **parameters: The arguments of :class:`SupConLoss`.

    Returns:
        Tensor: The loss.

    Raises:
        ValueError: If ``num_classes`` is not positive.

    Example:
        >>> import torch
        >>> from mmpaco.losses import supcon_loss
        >>> anchors, labels = torch.eye(4), torch.tensor([0, 0, 1, 1])
        >>> supcon_loss(anchors, labels, 2, temperature=0.1)
        tensor(1.0986)
    """
    if num_classes < 1:
        raise ValueError(
            f'num_classes must be positive, but got {num_classes}'
        )
    scores = features.new_zeros(()).expand(*features.shape[:-1], num_classes)
    loss: Tensor = SupConLoss(**parameters)(
        features, labels, scores, extra_features, extra_labels
    )
    return loss
