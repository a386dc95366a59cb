"""Parametric contrastive loss, one for PaCo, GPaCo and pixels.

Parametric Contrastive Learning, Cui et al., ICCV 2021,
https://arxiv.org/abs/2107.12028
Generalized Parametric Contrastive Learning, Cui et al., TPAMI 2023,
https://arxiv.org/abs/2209.12400
"""

from typing import Optional

import torch
from torch import Tensor, nn

from .checks import check_inputs, check_parameters
from .class_prior import log_class_prior
from .dense import dense_loss
from .numerics import no_autocast, reduce_anchors
from .tiled import tiled_loss


def paco_loss(
    features: Tensor,
    labels: Tensor,
    center_logits: Tensor,
    extra_features: Optional[Tensor] = None,
    extra_labels: Optional[Tensor] = None,
    class_counts: Optional[Tensor] = None,
    *,
    alpha: float,
    temperature: float,
    beta: float = 1.0,
    gamma: float = 1.0,
    base_temperature: Optional[float] = None,
    label_smoothing: float = 0.0,
    ignore_index: Optional[int] = None,
    reduction: str = 'mean',
    impl: str = 'tiled',
) -> Tensor:
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
        features (Tensor): Anchors, unit rows of shape (N, D).
        labels (Tensor): Their classes, integers of shape (N, ).
        center_logits (Tensor): Their scores of each class, of shape (N, C),
            from features that are not normalised.
        extra_features (Tensor, optional): Rows that are contrasts but no
            anchors (momentum keys, queue), of shape (M, D).
        extra_labels (Tensor, optional): Their classes, of shape (M, ).
        class_counts (Tensor, optional): Training images per class, of shape
            (C, ). None leaves out the class prior.
        alpha (float): Weight of a positive.
        temperature (float): Divisor of the similarities.
        beta (float): Weight of the center. Defaults to 1.0.
        gamma (float): Factor of the contrasts in Z. Defaults to 1.0.
        base_temperature (float, optional): The loss is multiplied by
            ``temperature / base_temperature``. Defaults to the temperature.
        label_smoothing (float): Share of the center's target that goes to
            the C - 1 other centers in equal parts. Defaults to 0.0.
        ignore_index (int, optional): Rows of this label are no anchors and
            no positives, but stay in Z.
        reduction (str): 'mean' over the anchors that are not ignored, 'sum',
            or 'none'. Defaults to 'mean'.
        impl (str): 'tiled', which never holds an N x (N + M) matrix, or
            'dense', which is written as the equation reads.

    Returns:
        Tensor: The loss in float32 (float64 for float64 inputs): a scalar,
        or of shape (N, ) and zero at ignored rows if reduction is 'none'.

    Raises:
        TypeError: If features or logits are not floating or labels are not
            integers.
        ValueError: If a shape does not fit or a parameter is out of range.
    """
    check_parameters(
        reduction=reduction,
        impl=impl,
        alpha=alpha,
        temperature=temperature,
        beta=beta,
        gamma=gamma,
        base_temperature=base_temperature,
        label_smoothing=label_smoothing,
    )
    check_inputs(
        features,
        labels,
        center_logits,
        extra_features,
        extra_labels,
        class_counts,
    )
    if label_smoothing > 0 and center_logits.shape[1] < 2:
        raise ValueError('label_smoothing needs at least two classes')
    dtype = torch.promote_types(
        torch.promote_types(features.dtype, center_logits.dtype), torch.float32
    )
    anchor_loss = tiled_loss if impl == 'tiled' else dense_loss
    with no_autocast(features):
        features, labels = features.to(dtype), labels.long()
        centers = center_logits.to(dtype)
        if class_counts is not None:
            centers = centers + log_class_prior(class_counts, dtype)
        if extra_features is not None and extra_labels is not None:
            extra_features = extra_features.to(dtype)
            extra_labels = extra_labels.long()
        loss = anchor_loss(
            features,
            labels,
            centers,
            extra_features,
            extra_labels,
            alpha=alpha,
            temperature=temperature,
            beta=beta,
            gamma=gamma,
            label_smoothing=label_smoothing,
            ignore_index=ignore_index,
        )
        loss = loss * (temperature / (base_temperature or temperature))
        return reduce_anchors(loss, labels, ignore_index, reduction)


class PaCoLoss(nn.Module):
    """Parametric contrastive loss, see :func:`paco_loss`.

    Args:
        alpha (float): Weight of a positive.
        temperature (float): Divisor of the similarities.
        beta (float): Weight of the center. Defaults to 1.0.
        gamma (float): Factor of the contrasts in the partition sum.
            Defaults to 1.0.
        base_temperature (float, optional): The loss is multiplied by
            ``temperature / base_temperature``. Defaults to the temperature.
        label_smoothing (float): Share of the center's target that goes to
            the other centers. Defaults to 0.0.
        ignore_index (int, optional): The label of rows that are no anchors.
        reduction (str): 'mean', 'sum' or 'none'. Defaults to 'mean'.
        impl (str): 'tiled' or 'dense'. Defaults to 'tiled'.

    Raises:
        ValueError: If a parameter is out of range.
    """

    uses_class_counts = True

    def __init__(
        self,
        alpha: float,
        temperature: float,
        beta: float = 1.0,
        gamma: float = 1.0,
        base_temperature: Optional[float] = None,
        label_smoothing: float = 0.0,
        ignore_index: Optional[int] = None,
        reduction: str = 'mean',
        impl: str = 'tiled',
    ) -> None:
        super().__init__()
        check_parameters(
            reduction=reduction,
            impl=impl,
            alpha=alpha,
            temperature=temperature,
            beta=beta,
            gamma=gamma,
            base_temperature=base_temperature,
            label_smoothing=label_smoothing,
        )
        self.alpha = alpha
        self.temperature = temperature
        self.beta = beta
        self.gamma = gamma
        self.base_temperature = base_temperature
        self.label_smoothing = label_smoothing
        self.ignore_index = ignore_index
        self.reduction = reduction
        self.impl = impl

    def forward(
        self,
        features: Tensor,
        labels: Tensor,
        center_logits: Tensor,
        extra_features: Optional[Tensor] = None,
        extra_labels: Optional[Tensor] = None,
        class_counts: Optional[Tensor] = None,
    ) -> Tensor:
        """Compute the loss of a batch, see :func:`paco_loss`.

        Args:
            features (Tensor): Anchors, unit rows of shape (N, D).
            labels (Tensor): Their classes, of shape (N, ).
            center_logits (Tensor): Their class scores, of shape (N, C).
            extra_features (Tensor, optional): More contrasts, (M, D).
            extra_labels (Tensor, optional): Their classes, of shape (M, ).
            class_counts (Tensor, optional): Training images per class.

        Returns:
            Tensor: The loss.
        """
        return paco_loss(
            features,
            labels,
            center_logits,
            extra_features,
            extra_labels,
            class_counts,
            alpha=self.alpha,
            temperature=self.temperature,
            beta=self.beta,
            gamma=self.gamma,
            base_temperature=self.base_temperature,
            label_smoothing=self.label_smoothing,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            impl=self.impl,
        )

    def extra_repr(self) -> str:
        """Show the parameters when the module is printed."""
        return (
            f'alpha={self.alpha}, temperature={self.temperature}, '
            f'beta={self.beta}, gamma={self.gamma}, impl={self.impl!r}'
        )
