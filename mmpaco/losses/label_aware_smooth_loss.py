"""Label smoothing that is strong for frequent classes.

MiSLAS, Zhong et al., CVPR 2021, https://arxiv.org/abs/2104.00466
"""

import math
from collections.abc import Callable
from typing import Optional

import torch
from torch import Tensor

from .checks import check_numbers
from .class_counts import CountsLike, counts_of_images
from .head_loss import HeadLoss

# How far from the tail to the head, by how far n is from least to most.
_SHAPES: dict[str, Callable[[Tensor], Tensor]] = {
    'concave': lambda x: torch.sin(math.pi / 2 * x),
    'linear': lambda x: x,
    'convex': lambda x: 1 - torch.cos(math.pi / 2 * x),
    'exp': lambda x: x**2,
}


class LabelAwareSmoothLoss(HeadLoss):
    r"""Cross-entropy with a label smoothing of each class.

    .. math::
        \frac{1}{N} \sum_i \left( (1 - \epsilon_{y_i}) (-\log p_{i y_i})
        - \frac{\epsilon_{y_i}}{C} \sum_c \log p_{ic} \right)

    The target of the true class is 1 - eps + eps / C, as in the release of
    MiSLAS; its Eq. 6 gives the smoothing to the other classes alone.

    Args:
        num_classes (int): The class count C.
        head (float): Smoothing of the most frequent class, in [0, 1).
        tail (float): Smoothing of the rarest class, in [0, 1).
        shape (str): How it rises from tail to head with the images of a
            class: 'concave' (a quarter of a sine), 'linear', 'convex' or
            'exp' (a square). Defaults to 'concave'.
        loss_weight (float): Factor of the loss. Defaults to 1.0.
        class_counts (Sequence[float] | Tensor, optional): Training images per
            class, or shares. Defaults to None: ``mmpaco.ClassPriorHook``
            counts them before training.

    Raises:
        ValueError: If an argument is out of range, or the counts do not fit.

    Example:
        >>> import torch
        >>> from mmpaco.losses import LabelAwareSmoothLoss
        >>> loss = LabelAwareSmoothLoss(
        ...     3, head=0.4, tail=0.1, class_counts=[500, 50, 5]
        ... )
        >>> loss.smoothing()
        tensor([0.4000, 0.1427, 0.1000])
        >>> loss(torch.eye(3), torch.tensor([0, 1, 2]))
        tensor(0.6943)
    """

    def __init__(
        self,
        num_classes: int,
        head: float,
        tail: float,
        shape: str = 'concave',
        loss_weight: float = 1.0,
        class_counts: Optional[CountsLike] = None,
    ) -> None:
        super().__init__(num_classes, class_counts, loss_weight)
        if shape not in _SHAPES:
            raise ValueError(
                f'shape must be one of {tuple(_SHAPES)}, but got {shape!r}'
            )
        check_numbers(head=head, tail=tail)
        self.head = head
        self.tail = tail
        self.shape = shape

    def smoothing(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """Give the smoothing of each class.

        Args:
            dtype (torch.dtype): Its precision. Defaults to float32.

        Returns:
            Tensor: Shape (C, ). A class without images has that of the
            rarest one with images; where all have as many, they have that
            of the head.

        Raises:
            RuntimeError: If the class counts are not set.
        """
        counts, rarest = counts_of_images(self.prior().to(dtype))
        span = counts.max() - rarest
        place = torch.where(
            span > 0, (counts - rarest) / span, torch.ones_like(counts)
        )
        return self.tail + (self.head - self.tail) * _SHAPES[self.shape](place)

    def losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Compute the smoothed cross-entropy of each image."""
        share = self.smoothing(logits.dtype)[labels]
        cost = -logits.log_softmax(1)
        own = cost.gather(1, labels[:, None])[:, 0]
        return (1 - share) * own + share * cost.mean(1)
