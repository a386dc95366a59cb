"""A classification loss beside a contrastive one, the papers' baseline.

Generalized Parametric Contrastive Learning, Cui et al., TPAMI 2023,
https://arxiv.org/abs/2209.12400 (Tables 11 to 13)
"""

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from .base import ContrastBatch
from .checks import check_numbers
from .class_weights import effective_number_weights, look_for_shares
from .labels import class_index
from .supcon_loss import SupConLoss


class MultiTaskLoss(SupConLoss):
    r"""Classification loss of all anchors plus supervised contrast.

    .. math::
        \frac{1}{N} \sum_i \left( \mathrm{CE}(u_i, y_i)
        + w\, r_{y_i}\, \mathrm{SupCon}_i \right)

    with SupCon as in :class:`SupConLoss` and the class scores u, shifted by
    the log prior if ``balanced`` (Balanced Softmax).

    Args:
        supcon_weight (float): Weight w of the contrast. Defaults to 0.5, as
            in the papers' scripts.
        temperature (float): As of :class:`ContrastiveLoss`. Defaults to 0.2.
        balanced (bool): Whether the log prior shifts the class scores.
            Defaults to True.
        reweight (bool): Whether r is the weight of the class by
            :func:`effective_number_weights`, as the papers' code means it.
            Else r is 1, as in the runs of the papers: there the mean of the
            effective numbers is taken over one of them at a time, so that
            it cancels. Defaults to False.
        label_smoothing (float): Share of the target that goes to all C
            classes in equal parts, 0.1 in the papers' runs of ViT. Defaults
            to 0.0.
        **kwargs: Other arguments of :class:`ContrastiveLoss`.

    Raises:
        ValueError: If a parameter is out of range, or in a call if
            ``balanced`` or ``reweight`` lack the class counts, or
            ``reweight`` is first given shares.

    Example:
        >>> import torch
        >>> from mmpaco.losses import MultiTaskLoss
        >>> anchors, labels = torch.eye(4), torch.tensor([0, 0, 1, 1])
        >>> loss = MultiTaskLoss(supcon_weight=0.5)
        >>> counts = torch.tensor([9, 1])
        >>> loss(anchors, labels, torch.zeros(4, 2), class_counts=counts)
        tensor(1.7533)
    """

    trains_centers = True
    takes_images = True

    def __init__(
        self,
        supcon_weight: float = 0.5,
        temperature: float = 0.2,
        *,
        balanced: bool = True,
        reweight: bool = False,
        label_smoothing: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(temperature, **kwargs)
        check_numbers(
            supcon_weight=supcon_weight, label_smoothing=label_smoothing
        )
        self.supcon_weight = supcon_weight
        self.balanced = balanced
        self.reweight = reweight
        self.label_smoothing = label_smoothing
        self.uses_class_counts = balanced or reweight
        self._are_counts = False

    def anchor_losses(self, batch: ContrastBatch) -> Tensor:
        """Add the classification loss to the contrast."""
        return self._with_centers(batch, super().anchor_losses(batch))

    def dense_anchor_losses(self, batch: ContrastBatch) -> Tensor:
        """Add the classification loss to the contrast of all pairs."""
        return self._with_centers(batch, super().dense_anchor_losses(batch))

    def _with_centers(self, batch: ContrastBatch, contrast: Tensor) -> Tensor:
        if batch.class_counts is None and self.uses_class_counts:
            raise ValueError(
                'balanced and reweight need class_counts, but got None; pass '
                'the training images per class (class_prior=True in a head), '
                'or set balanced=False and reweight=False'
            )
        target = class_index(batch.labels, self.ignore_index)
        if batch.class_counts is not None and self.reweight:
            if not self._are_counts:
                self._are_counts = look_for_shares(batch.class_counts)
            weights = effective_number_weights(
                batch.class_counts, contrast.dtype
            )
            contrast = contrast * weights[target]
        logits = (
            batch.balanced_logits() if self.balanced else batch.center_logits
        )
        loss = F.cross_entropy(
            logits.flatten(0, -2),
            target.flatten(),
            reduction='none',
            label_smoothing=self.label_smoothing,
        ).view(target.shape)
        return loss + self.supcon_weight * contrast
