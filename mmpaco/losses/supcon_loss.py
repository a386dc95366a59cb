"""Supervised contrastive loss, the baseline without centers.

Supervised Contrastive Learning, Khosla et al., NeurIPS 2020,
https://arxiv.org/abs/2004.11362
"""

from typing import Optional

import torch
from torch import Tensor, nn

from .checks import check_contrasts, check_inputs, check_parameters
from .contrast import contrast_logsumexp
from .numerics import no_autocast, reduce_anchors
from .positives import dense_pairs, positive_sums


def supcon_loss(
    features: Tensor,
    labels: Tensor,
    num_classes: int,
    extra_features: Optional[Tensor] = None,
    extra_labels: Optional[Tensor] = None,
    *,
    temperature: float,
    base_temperature: Optional[float] = None,
    ignore_index: Optional[int] = None,
    reduction: str = 'mean',
    impl: str = 'tiled',
) -> Tensor:
    r"""Supervised contrastive loss (Khosla et al., Eq. 2; GPaCo, Eq. 3).

    Anchor i is pulled to its positives, the other rows of its class, against
    all other rows:

    .. math::
        \ell_i = -\frac{1}{|P_i|} \sum_{j \in P_i} (d_{ij} - \log Z_i), \quad
        Z_i = \sum_{j \ne i} e^{d_{ij}}, \quad
        d_{ij} = \langle f_i, f_j \rangle / \tau

    An anchor without a positive adds an exact zero, but counts in the mean.

    Args:
        features (Tensor): Anchors, unit rows of shape (N, D).
        labels (Tensor): Their classes, integers of shape (N, ).
        num_classes (int): The class count C; labels are less.
        extra_features (Tensor, optional): Rows that are contrasts but no
            anchors (momentum keys, queue), of shape (M, D).
        extra_labels (Tensor, optional): Their classes, of shape (M, ).
        temperature (float): Divisor of the similarities.
        base_temperature (float, optional): The loss is multiplied by
            ``temperature / base_temperature``. Defaults to the temperature.
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
        TypeError: If features are not floating or labels are not integers.
        ValueError: If a shape does not fit or a parameter is out of range.
    """
    check_parameters(
        reduction=reduction,
        impl=impl,
        temperature=temperature,
        base_temperature=base_temperature,
    )
    check_contrasts(features, labels, extra_features, extra_labels)
    if num_classes < 1:
        raise ValueError(
            f'num_classes must be positive, but got {num_classes}'
        )
    dtype = torch.promote_types(features.dtype, torch.float32)
    with no_autocast(features):
        features, labels = features.to(dtype), labels.long()
        if extra_features is not None and extra_labels is not None:
            extra_features = extra_features.to(dtype)
            extra_labels = extra_labels.long()
        if impl == 'dense':
            loss = _dense(
                features, labels, extra_features, extra_labels, temperature
            )
        else:
            sums, sizes = positive_sums(
                features,
                labels,
                extra_features,
                extra_labels,
                num_classes=num_classes,
                temperature=temperature,
                ignore_index=ignore_index,
            )
            log_z = contrast_logsumexp(features, extra_features, temperature)
            loss = log_z - sums / sizes.clamp(min=1)
            loss = torch.where(sizes > 0, loss, torch.zeros_like(loss))
        loss = loss * (temperature / (base_temperature or temperature))
        return reduce_anchors(loss, labels, ignore_index, reduction)


def _dense(
    features: Tensor,
    labels: Tensor,
    extra_features: Optional[Tensor],
    extra_labels: Optional[Tensor],
    temperature: float,
) -> Tensor:
    """Loss of each anchor as the equation reads: the oracle."""
    similarities, is_positive = dense_pairs(
        features, labels, extra_features, extra_labels, temperature
    )
    num_positives = is_positive.sum(1)
    # A row of minus infinities alone has no gradient that is a number.
    similarities = similarities.masked_fill((num_positives == 0)[:, None], 0)
    log_p = similarities - similarities.logsumexp(1, keepdim=True)
    log_p = log_p.masked_fill(~is_positive, 0)
    return -log_p.sum(1) / num_positives.clamp(min=1)


class SupConLoss(nn.Module):
    """Supervised contrastive loss, see :func:`supcon_loss`.

    It is called as :class:`PaCoLoss` is and trains no classifier: of the
    class scores it takes their number alone.

    Args:
        temperature (float): Divisor of the similarities.
        base_temperature (float, optional): The loss is multiplied by
            ``temperature / base_temperature``. Defaults to the temperature.
        ignore_index (int, optional): The label of rows that are no anchors.
        reduction (str): 'mean', 'sum' or 'none'. Defaults to 'mean'.
        impl (str): 'tiled' or 'dense'. Defaults to 'tiled'.

    Raises:
        ValueError: If a parameter is out of range.
    """

    uses_class_counts = False

    def __init__(
        self,
        temperature: float,
        base_temperature: Optional[float] = None,
        ignore_index: Optional[int] = None,
        reduction: str = 'mean',
        impl: str = 'tiled',
    ) -> None:
        super().__init__()
        check_parameters(
            reduction=reduction,
            impl=impl,
            temperature=temperature,
            base_temperature=base_temperature,
        )
        self.temperature = temperature
        self.base_temperature = base_temperature
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
        """Compute the loss of a batch, see :func:`supcon_loss`.

        Args:
            features (Tensor): Anchors, unit rows of shape (N, D).
            labels (Tensor): Their classes, of shape (N, ).
            center_logits (Tensor): Class scores of shape (N, C), for C.
            extra_features (Tensor, optional): More contrasts, (M, D).
            extra_labels (Tensor, optional): Their classes, of shape (M, ).
            class_counts (Tensor, optional): Not used.

        Returns:
            Tensor: The loss.
        """
        check_inputs(
            features,
            labels,
            center_logits,
            extra_features,
            extra_labels,
            class_counts,
        )
        return supcon_loss(
            features,
            labels,
            center_logits.shape[1],
            extra_features,
            extra_labels,
            temperature=self.temperature,
            base_temperature=self.base_temperature,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            impl=self.impl,
        )

    def extra_repr(self) -> str:
        """Show the parameters when the module is printed."""
        return f'temperature={self.temperature}, impl={self.impl!r}'
