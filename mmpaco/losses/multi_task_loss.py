"""A classification loss beside a contrastive one, the papers' baseline.

Generalized Parametric Contrastive Learning, Cui et al., TPAMI 2023,
https://arxiv.org/abs/2209.12400 (Tables 11 to 13)
"""

import math
from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .checks import check_inputs, check_parameters
from .class_prior import log_class_prior
from .labels import class_index
from .numerics import no_autocast, reduce_anchors
from .supcon_loss import supcon_loss

# As in the papers' release.
_EFFECTIVE_BASE = 0.999


def effective_number_weights(class_counts: Tensor) -> Tensor:
    r"""Weight of each class by its effective number of images.

    :math:`w_c = \bar E / E_c` with :math:`E_c = (1 - 0.999^{n_c}) /
    (1 - 0.999)` (Class-Balanced Loss, CVPR 2019,
    https://arxiv.org/abs/1901.05555).

    Args:
        class_counts (Tensor): Training images per class, of shape (C, ).

    Returns:
        Tensor: The weights, of shape (C, ), in float32, or in float64 for
        float64 counts. A class without images has that of one image.
    """
    counts = class_counts.to(
        torch.promote_types(class_counts.dtype, torch.float32)
    )
    # The divisor 1 - 0.999 cancels.
    effective = -torch.expm1(counts * math.log(_EFFECTIVE_BASE))
    return effective.mean() / effective.clamp(min=1 - _EFFECTIVE_BASE)


class MultiTaskLoss(nn.Module):
    r"""Classification loss of all anchors plus supervised contrast.

    .. math::
        \frac{1}{N} \sum_i \left( \mathrm{CE}(u_i, y_i)
        + w\, r_{y_i}\, \mathrm{SupCon}_i \right)

    with SupCon as in :func:`supcon_loss` and the class scores u, shifted by
    the log prior if ``balanced`` (Balanced Softmax). It is called as
    :class:`PaCoLoss` is.

    Args:
        supcon_weight (float): Weight w of the contrast. Defaults to 0.5, as
            in the papers' scripts.
        temperature (float): Divisor of the similarities. Defaults to 0.2.
        base_temperature (float, optional): The contrast is multiplied by
            ``temperature / base_temperature``. Defaults to the temperature.
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
        ignore_index (int, optional): The label of rows that are no anchors.
        impl (str): 'tiled' or 'dense'. Defaults to 'tiled'.

    Raises:
        ValueError: If a parameter is out of range.
    """

    def __init__(
        self,
        supcon_weight: float = 0.5,
        temperature: float = 0.2,
        base_temperature: Optional[float] = None,
        balanced: bool = True,
        reweight: bool = False,
        label_smoothing: float = 0.0,
        ignore_index: Optional[int] = None,
        impl: str = 'tiled',
    ) -> None:
        super().__init__()
        check_parameters(
            impl=impl,
            supcon_weight=supcon_weight,
            temperature=temperature,
            base_temperature=base_temperature,
            label_smoothing=label_smoothing,
        )
        self.supcon_weight = supcon_weight
        self.temperature = temperature
        self.base_temperature = base_temperature
        self.balanced = balanced
        self.reweight = reweight
        self.label_smoothing = label_smoothing
        self.ignore_index = ignore_index
        self.impl = impl

    @property
    def uses_class_counts(self) -> bool:
        """Whether the class counts have a part in the loss."""
        return self.balanced or self.reweight

    def forward(
        self,
        features: Tensor,
        labels: Tensor,
        center_logits: Tensor,
        extra_features: Optional[Tensor] = None,
        extra_labels: Optional[Tensor] = None,
        class_counts: Optional[Tensor] = None,
    ) -> Tensor:
        """Compute the loss of a batch.

        Args:
            features (Tensor): Anchors, unit rows of shape (N, D).
            labels (Tensor): Their classes, of shape (N, ).
            center_logits (Tensor): Their class scores, of shape (N, C).
            extra_features (Tensor, optional): More contrasts, (M, D).
            extra_labels (Tensor, optional): Their classes, of shape (M, ).
            class_counts (Tensor, optional): Training images per class, which
                ``balanced`` and ``reweight`` need.

        Returns:
            Tensor: The loss, a scalar in float32 (float64 for float64
            inputs).

        Raises:
            TypeError: If features or scores are not floating or labels are
                not integers.
            ValueError: If a shape does not fit, or class counts are needed
                and missing.
        """
        check_inputs(
            features,
            labels,
            center_logits,
            extra_features,
            extra_labels,
            class_counts,
        )
        if class_counts is None and self.uses_class_counts:
            raise ValueError(
                'balanced and reweight need class_counts, but got None; pass '
                'the training images per class (class_prior=True in a head), '
                'or set balanced=False and reweight=False'
            )
        dtype = torch.promote_types(
            torch.promote_types(features.dtype, center_logits.dtype),
            torch.float32,
        )
        with no_autocast(features):
            labels, logits = labels.long(), center_logits.to(dtype)
            target = class_index(labels, self.ignore_index)
            contrast = supcon_loss(
                features.to(dtype),
                labels,
                logits.shape[1],
                extra_features,
                extra_labels,
                temperature=self.temperature,
                base_temperature=self.base_temperature,
                ignore_index=self.ignore_index,
                reduction='none',
                impl=self.impl,
            )
            if class_counts is not None and self.balanced:
                logits = logits + log_class_prior(class_counts, dtype)
            if class_counts is not None and self.reweight:
                weights = effective_number_weights(class_counts).to(dtype)
                contrast = contrast * weights[target]
            loss = F.cross_entropy(
                logits,
                target,
                reduction='none',
                label_smoothing=self.label_smoothing,
            )
            return reduce_anchors(
                loss + self.supcon_weight * contrast,
                labels,
                self.ignore_index,
                'mean',
            )

    def extra_repr(self) -> str:
        """Show the parameters when the module is printed."""
        return (
            f'supcon_weight={self.supcon_weight}, '
            f'temperature={self.temperature}, balanced={self.balanced}, '
            f'reweight={self.reweight}, impl={self.impl!r}'
        )
