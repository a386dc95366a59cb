"""Experts that are each right, and unlike each other.

RIDE, Wang et al., ICLR 2021, https://arxiv.org/abs/2010.01809
"""

import math
from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor

from .checks import check_numbers
from .class_counts import CountsLike
from .head_loss import reduced
from .ldam_loss import LDAMLoss


class RIDELoss(LDAMLoss):
    r"""The loss of LDAM for each expert, and how it differs from their mean.

    .. math::
        \sum_k \mathrm{LDAM}(z^k, y) + \lambda\,\bar T^2\,
        \mathrm{KL}\left(\mathrm{softmax}(\bar z / T)\,\|\,
        \mathrm{softmax}(z^k / T)\right)
        \qquad \bar z = \frac{1}{E} \sum_k z^k

    with ``diversity`` for lambda, negative where experts are to differ, and a
    target that has no gradient. Once re-weighting is on, LDAM has its class
    weights, and T the :meth:`temperatures`, whose mean is in front; until
    then both are 1.

    With ``diversity=0`` each expert still has a loss of its own. The release
    silently trains the mean of their scores there, which is another loss:
    ``mmpaco.MultiExpertClsHead`` has it with ``mmpaco.LDAMLoss``, times E.
    The distillation from a network of more experts, and the second stage that
    learns how many experts an image needs, are left out.

    Args:
        num_classes (int): The class count C.
        max_margin (float): As of ``LDAMLoss``. Defaults to 0.5.
        scale (float): As of ``LDAMLoss``. Defaults to 30.0.
        beta (float): As of ``LDAMLoss``. Defaults to 0.9999.
        diversity (float): Factor lambda of the divergences. Defaults to -0.2.
        spread (float): How far the temperatures of the classes differ, in
            [0, 1). Defaults to 0.05.
        loss_weight (float): Factor of the loss. Defaults to 1.0.
        class_counts (Sequence[float] | Tensor, optional): As of
            ``LDAMLoss``.

    Raises:
        ValueError: If an argument is out of range, or the counts do not fit.

    Example:
        >>> import torch
        >>> from mmpaco.losses import LDAMLoss, RIDELoss
        >>> counts, labels = [1600, 100], torch.tensor([0, 1])
        >>> alike = torch.zeros(3, 2, 2)
        >>> loss = RIDELoss(2, class_counts=counts)
        >>> loss(alike, labels)  # three experts
        tensor(33.7508)
        >>> 3 * LDAMLoss(2, class_counts=counts)(alike[0], labels)
        tensor(33.7508)
        >>> loss.temperatures()
        tensor([1.0000, 0.9155])
    """

    # The head gives the scores of each expert, and not their mean.
    of_experts = True

    def __init__(
        self,
        num_classes: int,
        max_margin: float = 0.5,
        scale: float = 30.0,
        beta: float = 0.9999,
        diversity: float = -0.2,
        spread: float = 0.05,
        loss_weight: float = 1.0,
        class_counts: Optional[CountsLike] = None,
    ) -> None:
        super().__init__(
            *(num_classes, max_margin, scale, beta, loss_weight, class_counts)
        )
        check_numbers(spread=spread)
        if not math.isfinite(diversity):
            raise ValueError(f'diversity must be finite, but got {diversity}')
        self.diversity = diversity
        self.spread = spread

    def temperatures(self, dtype: torch.dtype = torch.float32) -> Tensor:
        r"""Give the temperature of each class once re-weighting is on.

        :math:`T_c = t_c / \max_k t_k` of
        :math:`t_c = C \pi_c r + 1 - r`, with the share :math:`\pi_c` of the
        training images and the spread r: high for frequent classes.

        Args:
            dtype (torch.dtype): Their precision. Defaults to float32.

        Returns:
            Tensor: Shape (C, ).

        Raises:
            RuntimeError: If the class counts are not set.
        """
        counts = self.prior().to(dtype)
        shares = counts / counts.mean()
        found = shares * self.spread + 1 - self.spread
        temperatures: Tensor = found / found.max()
        return temperatures

    def forward(
        self,
        logits: Tensor,
        labels: Tensor,
        weight: Optional[Tensor] = None,
        avg_factor: Optional[float] = None,
        reduction_override: Optional[str] = None,
    ) -> Tensor:
        """Compute the loss of a batch, summed over experts.

        Args:
            logits (Tensor): Class scores of each expert, of shape (E, N, C).
            labels (Tensor): Class indices of shape (N, ).
            weight (Tensor, optional): A factor for each image.
            avg_factor (float, optional): What the sum is divided by.
                Defaults to the number of images. LDAM with class weights is
                divided by their sum in any case.
            reduction_override (str, optional): 'mean', 'sum', or 'none'.
                Defaults to 'mean'.

        Returns:
            Tensor: The loss in float32 (float64 for float64 scores), a
            scalar, or of shape (N, ) for 'none'.

        Raises:
            RuntimeError: If the class counts are not set.
            TypeError: If, on the host, labels are no integers.
            ValueError: If a shape does not fit, a label is no class (seen on
                the host alone), or as by the reduction.
        """
        if logits.dim() != 3 or not len(logits):
            raise ValueError(
                'expected the scores of each expert, of shape '
                f'(E, N, {self.num_classes}), but got {tuple(logits.shape)}; '
                'mmpaco.MultiExpertClsHead gives them'
            )
        how = (weight, avg_factor, reduction_override)
        loss_of_one = super().forward
        losses = [loss_of_one(x, labels, *how) for x in logits]
        if self.diversity:
            losses.append(
                reduced(
                    self._divergences(logits),
                    self.diversity * self.loss_weight,
                    *how,
                )
            )
        return torch.stack(losses).sum(0)

    def _divergences(self, logits: Tensor) -> Tensor:
        """Sum over experts how each differs from their mean, of each image."""
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        mean, factor = logits.mean(0).detach(), logits.new_ones(())
        if self.reweighting:
            temperatures = self.temperatures(logits.dtype)
            mean, logits = mean / temperatures, logits / temperatures
            factor = temperatures.mean() ** 2
        divergences = F.kl_div(
            logits.log_softmax(-1),
            mean.log_softmax(-1).expand_as(logits),
            reduction='none',
            log_target=True,
        )
        return factor * divergences.sum((0, 2))
