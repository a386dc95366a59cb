"""What the losses have in common that a stock head calls."""

from typing import Optional

import torch
from torch import Tensor, nn

from .class_counts import CountsLike
from .class_prior import ClassPrior
from .class_weights import (
    check_effective_base,
    check_no_shares,
    effective_number_weights,
    look_for_shares,
)
from .labels import check_labels
from .readable import is_readable

_REDUCTIONS = ('mean', 'sum', 'none')


def reduced(
    loss: Tensor,
    loss_weight: float,
    weight: Optional[Tensor],
    avg_factor: Optional[float],
    reduction_override: Optional[str],
    divisor: Optional[Tensor] = None,
) -> Tensor:
    """Reduce one loss for each label as mmpretrain's and mmseg's heads ask.

    Args:
        loss (Tensor): One loss for each label, of any shape.
        loss_weight (float): Factor of the result.
        weight (Tensor, optional): A factor for each label.
        avg_factor (float, optional): What the sum is divided by. None is the
            number of labels.
        reduction_override (str, optional): 'mean', 'sum' or 'none'. None is
            'mean'.
        divisor (Tensor, optional): What a mean is divided by in the place of
            ``avg_factor``, a scalar. Defaults to None.

    Returns:
        Tensor: A scalar, an exact zero with a graph for no labels; or of the
        shape of the losses for 'none'.

    Raises:
        ValueError: If the reduction is unknown, or is given an ``avg_factor``
            that it has no use for.
    """
    reduction = reduction_override or 'mean'
    if reduction not in _REDUCTIONS or (
        reduction != 'mean' and avg_factor is not None
    ):
        raise ValueError(
            "reduction_override must be 'mean', or 'sum' or 'none' "
            f'without avg_factor, but got {reduction_override!r} and '
            f'avg_factor={avg_factor}'
        )
    if weight is not None:
        loss = loss * weight
    if reduction == 'none':
        return loss_weight * loss
    total = loss_weight * loss.sum()
    if reduction == 'sum':
        return total
    if divisor is not None and loss.numel():
        return total / divisor
    return total / (avg_factor or max(1, loss.numel()))


class HeadLoss(nn.Module):
    """Base of the losses of one-label images that know the class counts.

    A subclass has :meth:`losses`.

    Args:
        num_classes (int): The class count C.
        class_counts (Sequence[float] | Tensor, optional): As of
            ``BalancedSoftmaxLoss``.
        loss_weight (float): Factor of the loss.

    Raises:
        ValueError: If the counts do not fit.
    """

    divide_by = 'samples'

    def __init__(
        self,
        num_classes: int,
        class_counts: Optional[CountsLike],
        loss_weight: float,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.prior = ClassPrior(num_classes, class_counts)
        self.loss_weight = loss_weight

    def losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Compute the loss of each image, without class weights.

        Args:
            logits (Tensor): Class scores of shape (N, C), float32 at least.
            labels (Tensor): Class indices, int64 of shape (N, ).

        Returns:
            Tensor: Losses of shape (N, ).
        """
        raise NotImplementedError

    def class_weights(self, dtype: torch.dtype) -> Optional[Tensor]:
        """Give the weight of each class, or None for no weights.

        Args:
            dtype (torch.dtype): Their precision.
        """
        return None

    def check_scores(self, logits: Tensor) -> None:
        """See that class scores have the shape that the loss is for.

        Args:
            logits (Tensor): Class scores of any shape.

        Raises:
            ValueError: If not.
        """
        if logits.dim() != 2 or logits.shape[1] != self.num_classes:
            raise ValueError(
                f'expected scores of shape (N, {self.num_classes}) '
                f'(num_classes), but got {tuple(logits.shape)}'
            )

    def forward(
        self,
        logits: Tensor,
        labels: Tensor,
        weight: Optional[Tensor] = None,
        avg_factor: Optional[float] = None,
        reduction_override: Optional[str] = None,
    ) -> Tensor:
        """Compute the mean loss of a batch.

        Args:
            logits (Tensor): Class scores of shape (N, C).
            labels (Tensor): Class indices of shape (N, ).
            weight (Tensor, optional): A factor for each image.
            avg_factor (float, optional): What the sum is divided by.
                Defaults to the number of images. Where the sum of the class
                weights divides, it is ignored.
            reduction_override (str, optional): 'mean', 'sum', or 'none'.
                Defaults to 'mean'.

        Returns:
            Tensor: The loss in float32 (float64 for float64 scores), a
            scalar, or of shape (N, ) for 'none'.

        Raises:
            RuntimeError: If the loss needs class counts that are not set.
            TypeError: If, on the host, labels are no integers.
            ValueError: If a shape does not fit, a label is no class (seen on
                the host alone), or as by the reduction.
        """
        self.check_scores(logits)
        if labels.shape != logits.shape[-2:-1]:
            raise ValueError(
                f'expected one class index for each of {logits.shape[-2]} '
                f'images, but got shape {tuple(labels.shape)}; mixed and '
                'one-hot labels are not for this loss'
            )
        if is_readable(labels):
            check_labels(labels, self.num_classes)
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        labels = labels.long()
        loss = self.losses(logits, labels)
        weights, divisor = self.class_weights(logits.dtype), None
        if weights is not None:
            weights = weights[labels]
            loss = loss * weights
            if self.divide_by == 'weights':
                divisor = weights.sum()
        return reduced(
            *(loss, self.loss_weight, weight, avg_factor),
            reduction_override,
            divisor,
        )

    def extra_repr(self) -> str:
        """Show the arguments when the module is printed."""
        hidden = ('training', 'num_classes')
        return ', '.join(
            f'{name}={value!r}'
            for name, value in vars(self).items()
            if not name.startswith('_') and name not in hidden
        )


class ReweightedHeadLoss(HeadLoss):
    """Base of those that can weight each image by its class.

    The weights are those of :func:`effective_number_weights` and sum to C.
    Whether they are on is no part of the state: a checkpoint carries the
    counts alone, and ``mmpaco.DeferredReweightingHook`` tells each epoch.

    Args:
        num_classes (int): As of :class:`HeadLoss`.
        class_counts (Sequence[float] | Tensor, optional): Likewise.
        loss_weight (float): Likewise.
        beta (float): Base of the effective numbers; 0 gives no weights.
        reweighting (bool): Whether the weights are on at first.
        divide_by (str): What the mean of weighted losses is divided by:
            'samples', the number of labels, or 'weights', the sum of their
            weights, as PyTorch's own weighted cross-entropy.

    Raises:
        ValueError: If an argument is out of range, or the counts do not fit.
    """

    def __init__(
        self,
        num_classes: int,
        class_counts: Optional[CountsLike],
        loss_weight: float,
        beta: float,
        reweighting: bool,
        divide_by: str,
    ) -> None:
        super().__init__(num_classes, class_counts, loss_weight)
        check_effective_base(beta)
        if divide_by not in ('samples', 'weights'):
            raise ValueError(
                "divide_by must be 'samples' or 'weights', but got "
                f'{divide_by!r}'
            )
        self.beta = beta
        self.divide_by = divide_by
        self.reweighting = False
        self._is_looked_at = False
        if reweighting and beta > 0:
            self.set_reweighting(True)

    def set_reweighting(self, is_on: bool) -> None:
        """Switch the class weights on or off.

        Args:
            is_on (bool): Whether the following losses are weighted.

        Raises:
            ValueError: If there are no class weights, since beta is 0; or
                they are to be of shares, which were given as the counts.
        """
        if not self.beta:
            raise ValueError(
                f'{type(self).__name__} has no class weights to switch on or '
                'off, since beta is 0; give a beta such as 0.9999'
            )
        if is_on and not self.reweighting and self.prior.is_given:
            # Here, since a loss on a device does not see them.
            check_no_shares(self.prior.class_counts)
        self.reweighting = bool(is_on)

    def class_weights(self, dtype: torch.dtype) -> Optional[Tensor]:
        """Give the weight of each class while re-weighting is on."""
        if not self.reweighting:
            return None
        counts = self.prior()
        if not self._is_looked_at:
            # Those that were set later, or came with a checkpoint.
            self._is_looked_at = look_for_shares(counts)
        return effective_number_weights(
            counts, dtype, self.beta, 'mean_weight'
        )
