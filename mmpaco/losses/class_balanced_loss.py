"""Focal losses and cross-entropy, with weights of the classes or without.

Class-Balanced Loss Based on Effective Number of Samples, Cui et al., CVPR
2019, https://arxiv.org/abs/1901.05555; Focal Loss, Lin et al., ICCV 2017,
https://arxiv.org/abs/1708.02002
"""

from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor

from .checks import check_numbers
from .class_counts import CountsLike
from .head_loss import ReweightedHeadLoss

_KINDS = ('softmax', 'focal', 'sigmoid_focal')


def _softmax_focal(logits: Tensor, labels: Tensor, gamma: float) -> Tensor:
    """Compute (1 - p)^gamma CE, p being that of the class by softmax."""
    index = labels[:, None]
    log_p = logits.log_softmax(1).gather(1, index)[:, 0]
    # The other classes together: 1 - p would have no logarithm at p = 1.
    lowest = torch.finfo(logits.dtype).min
    others = logits.scatter(1, index, lowest).logsumexp(1)
    log_error = others - logits.logsumexp(1)
    return (gamma * log_error).exp() * -log_p


def _sigmoid_focal(logits: Tensor, labels: Tensor, gamma: float) -> Tensor:
    """Sum (1 - p_t)^gamma BCE over all classes, p_t by sigmoid."""
    signs = torch.full_like(logits, -1).scatter(1, labels[:, None], 1)
    margins = signs * logits
    # Both are finite, with their gradients, where 1 - p_t rounds to 0.
    log_p, log_error = F.logsigmoid(margins), F.logsigmoid(-margins)
    return ((gamma * log_error).exp() * -log_p).sum(1)


class ClassBalancedLoss(ReweightedHeadLoss):
    r"""Losses whose images are weighted by the effective number of a class.

    .. math::
        \frac{1}{N} \sum_i w_{y_i}\, \ell_i

    with the weights of :func:`effective_number_weights`, which sum to C, and
    the loss of an image :math:`\ell` by kind:

    - 'softmax': cross-entropy;
    - 'focal': :math:`(1 - p_y)^\gamma\,\mathrm{CE}`, p by softmax. The weight
      stands outside of the power;
    - 'sigmoid_focal': :math:`\sum_c (1 - p_{t,c})^\gamma\,\mathrm{BCE}_c`, a
      sigmoid for each class: the paper's CB-Focal; with ``beta=0`` its Focal
      Loss.

    With a sigmoid the bias of the classifier should start at -log(C - 1) and
    not decay.

    Args:
        num_classes (int): The class count C.
        kind (str): 'softmax', 'focal' or 'sigmoid_focal'. Defaults to
            'softmax'.
        beta (float): Base of the effective number of images. At 0 there are
            no class weights, and no class counts are needed. Defaults to
            0.9999.
        gamma (float): Power of the error; 'softmax' has none. Defaults to
            1.0.
        divide_by (str): What the mean is divided by: 'samples', as released,
            or 'weights', the sum of the weights of the images, which takes no
            notice of ``avg_factor``. Defaults to 'samples'.
        loss_weight (float): Factor of the loss. Defaults to 1.0.
        class_counts (Sequence[float] | Tensor, optional): Training images per
            class. Defaults to None: ``mmpaco.ClassPriorHook`` counts them
            before training.

    Raises:
        ValueError: If an argument is out of range, or the counts do not fit.

    Example:
        >>> import torch
        >>> from mmpaco.losses import ClassBalancedLoss
        >>> scores, labels = torch.eye(2), torch.tensor([0, 1])
        >>> ClassBalancedLoss(2, class_counts=[90, 10])(scores, labels)
        tensor(0.3133)
        >>> ClassBalancedLoss(2, 'sigmoid_focal', beta=0)(scores, labels)
        tensor(0.4308)
    """

    def __init__(
        self,
        num_classes: int,
        kind: str = 'softmax',
        beta: float = 0.9999,
        gamma: float = 1.0,
        divide_by: str = 'samples',
        loss_weight: float = 1.0,
        class_counts: Optional[CountsLike] = None,
    ) -> None:
        super().__init__(
            num_classes, class_counts, loss_weight, beta, True, divide_by
        )
        if kind not in _KINDS:
            raise ValueError(f'kind must be one of {_KINDS}, but got {kind!r}')
        check_numbers(gamma=gamma)
        self.kind = kind
        self.gamma = gamma

    def losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Compute the loss of each image, without its class weight."""
        if self.kind == 'softmax':
            return F.cross_entropy(logits, labels, reduction='none')
        focal = _softmax_focal if self.kind == 'focal' else _sigmoid_focal
        return focal(logits, labels, self.gamma)
