"""Parametric contrastive loss, one for PaCo, GPaCo and pixels.

Parametric Contrastive Learning, Cui et al., ICCV 2021,
https://arxiv.org/abs/2107.12028
Generalized Parametric Contrastive Learning, Cui et al., TPAMI 2023,
https://arxiv.org/abs/2209.12400
"""

import math
from typing import Any, Optional

import torch
from torch import Tensor

from .base import ContrastBatch, ContrastiveLoss
from .center_terms import center_terms
from .checks import check_numbers
from .contrast import contrast_logsumexp
from .labels import class_index
from .positives import dense_pairs, positive_sums


class PaCoLoss(ContrastiveLoss):
    r"""Parametric contrastive loss (GPaCo, Eq. 4, with the prior of Eq. 8).

    Anchor i, of class y, is pulled to its center and to its positives, the
    other rows of its class, against all centers and all other rows:

    .. math::
        \ell_i = -\frac{\beta \sum_c t_{ic} (u_{ic} - \log Z_i)
        + \alpha \sum_{j \in P_i} (d_{ij} - \log Z_i)}
        {\beta + \alpha |P_i|}, \quad
        Z_i = \sum_c e^{u_{ic}} + \gamma \sum_{j \ne i} e^{d_{ij}}

    with center logits :math:`u_{ic} = s_{ic} + \log \pi_c`, similarities
    :math:`d_{ij} = \langle f_i, f_j \rangle / \tau` and smoothed targets t.
    The temperature divides the similarities only.

    Args:
        alpha (float): Weight of a positive.
        temperature (float): The :math:`\tau` of the equation, as of
            :class:`ContrastiveLoss`.
        beta (float): Weight of the center. Defaults to 1.0.
        gamma (float): Factor of the contrasts in Z. Defaults to 1.0.
        label_smoothing (float): Share of the center's target that goes to
            the C - 1 other centers in equal parts. Defaults to 0.0.
        **kwargs: Other arguments of :class:`ContrastiveLoss`.

    Raises:
        ValueError: If a parameter is out of range.

    Example:
        >>> import torch
        >>> import torch.nn.functional as F
        >>> from mmpaco.losses import PaCoLoss
        >>> loss = PaCoLoss(alpha=0.05, temperature=0.2)
        >>> anchors = F.normalize(torch.eye(6, 8), dim=1)
        >>> labels = torch.tensor([0, 1, 2, 0, 1, 2])
        >>> loss(anchors, labels, 5 * torch.eye(3).repeat(2, 1))
        tensor(0.2842)
    """

    uses_class_counts = True
    takes_images = True

    def __init__(
        self,
        alpha: float,
        temperature: float,
        *,
        beta: float = 1.0,
        gamma: float = 1.0,
        label_smoothing: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(temperature, **kwargs)
        check_numbers(
            alpha=alpha,
            beta=beta,
            gamma=gamma,
            label_smoothing=label_smoothing,
        )
        self.alpha = alpha
        self.beta = beta
        self.gamma = gamma
        self.label_smoothing = label_smoothing

    def anchor_losses(self, batch: ContrastBatch) -> Tensor:
        """Compute the losses without a matrix of all pairs.

        The weights of an anchor's targets sum to the normaliser, so log Z
        leaves the sums, and what the positives add is one product of the
        anchor with the sum of the rows of its class.
        """
        self._check_classes(batch.center_logits)
        positive_part, num_positives = positive_sums(
            batch, self.temperature, self.ignore_index
        )
        log_z, center_part = center_terms(
            batch.center_logits,
            batch.log_prior(),
            class_index(batch.labels, self.ignore_index),
            self.label_smoothing,
        )
        if self.gamma > 0:
            contrast = contrast_logsumexp(
                batch.features,
                batch.extra_features,
                self.temperature,
                under_autocast=batch.under_autocast,
            )
            log_z = torch.logaddexp(log_z, contrast + math.log(self.gamma))
        pulled = self.beta * center_part + self.alpha * positive_part
        weight = self.beta + self.alpha * num_positives
        return (log_z - pulled / weight) * self.scale

    def dense_anchor_losses(self, batch: ContrastBatch) -> Tensor:
        """Compute the losses as the equation reads: the oracle."""
        centers = batch.balanced_logits()
        num_classes = self._check_classes(centers)
        similarities, is_positive = dense_pairs(batch, self.temperature)
        log_gamma = math.log(self.gamma) if self.gamma > 0 else -math.inf
        log_z = torch.cat([centers, similarities + log_gamma], 1).logsumexp(1)

        anchor_class = class_index(batch.labels, self.ignore_index)
        # Not by one_hot, which some versions of PyTorch make wait for a
        # device.
        classes = torch.arange(num_classes, device=centers.device)
        target = (anchor_class[:, None] == classes).to(centers.dtype)
        if self.label_smoothing > 0:
            others = (1 - target) * self.label_smoothing / (num_classes - 1)
            target = target * (1 - self.label_smoothing) + others
        center_part = target * (centers - log_z[:, None])
        # A class that is masked out, by a score of minus infinity, is no
        # target.
        center_part = center_part.masked_fill(target == 0, 0).sum(1)
        log_p = (similarities - log_z[:, None]).masked_fill(~is_positive, 0)
        num_positives = is_positive.sum(1).to(centers.dtype)
        pulled = self.beta * center_part + self.alpha * log_p.sum(1)
        return -pulled / (self.beta + self.alpha * num_positives) * self.scale

    def _check_classes(self, centers: Tensor) -> int:
        num_classes = centers.shape[-1]
        if self.label_smoothing > 0 and num_classes < 2:
            raise ValueError(
                'label_smoothing needs at least two classes, but the scores '
                f'are of {num_classes}'
            )
        return num_classes


def paco_loss(
    features: Tensor,
    labels: Tensor,
    center_logits: Tensor,
    extra_features: Optional[Tensor] = None,
    extra_labels: Optional[Tensor] = None,
    class_counts: Optional[Tensor] = None,
    **parameters: Any,
) -> Tensor:
    """Compute a :class:`PaCoLoss` in one call.

    Args:
        features (Tensor): This and the other tensors are as in
            :meth:`ContrastiveLoss.forward`.
        labels (Tensor): As there.
        center_logits (Tensor): As there.
        extra_features (Tensor, optional): As there.
        extra_labels (Tensor, optional): As there.
        class_counts (Tensor, optional): As there.
        **parameters: The arguments of :class:`PaCoLoss`.

    Returns:
        Tensor: The loss.

    Example:
        >>> import torch
        >>> from mmpaco.losses import paco_loss
        >>> anchors, labels = torch.eye(4), torch.tensor([0, 0, 1, 1])
        >>> scores = 5 * torch.eye(2).repeat_interleave(2, 0)
        >>> paco_loss(anchors, labels, scores, alpha=0.05, temperature=0.2)
        tensor(0.2647)
    """
    loss: Tensor = PaCoLoss(**parameters)(
        features,
        labels,
        center_logits,
        extra_features,
        extra_labels,
        class_counts,
    )
    return loss
