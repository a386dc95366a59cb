"""The loss of ResLT, whose branches are trained on nested groups of classes.

ResLT: Residual Learning for Long-tailed Recognition, Cui et al., TPAMI 2022,
https://arxiv.org/abs/2101.10633
"""

import math
from collections.abc import Sequence
from typing import Optional, Union

import torch
from torch import Tensor

from .class_counts import CountsLike
from .head_loss import HeadLoss

# What the release adds to the probabilities of a branch.
_EPS = 1e-7
_EXPECTED = (
    'must be a matrix (E, C) of 0 and 1 for E branches and C classes, or E '
    'numbers of the rarest classes'
)


class ResLTLoss(HeadLoss):
    r"""Cross-entropy of each branch on its classes, and of their sum on all.

    With the scores z^e of branch e, the class y of image i, and G the groups:

    .. math::
        I = - \sum_e \sum_i G_{ey} \log(p^e_{iy} + 10^{-7}) /
            \sum_e \sum_i G_{ey}

    .. math::
        L = \beta I + (1 - \beta) CE(\sum_e z^e, y)

    Here beta is the factor of the branches, as in the release. The small
    number bounds the loss of a branch at 16.1, where its gradient ends. With
    several ranks each counts the members of the groups among its own images.

    Args:
        num_classes (int): The class count C.
        beta (float): Share of the loss of the branches, in [0, 1]. The
            release has 0.995, 0.99 and 0.72 for CIFAR-100-LT at factors 100,
            50 and 10, 0.99 for ImageNet-LT, 0.85 for iNaturalist 2018.
        groups (Sequence[Sequence[int]] | Tensor | Sequence[int]): A matrix
            (E, C) of 0 and 1 that tells of each of E branches which classes
            it is trained on; or, for each branch, the number of the rarest
            classes that are its own, by the class counts. Of classes with as
            many images those of higher index count as rarer.
        loss_weight (float): Factor of the loss. Defaults to 1.0.
        class_counts (Sequence[float] | Tensor, optional): Training images per
            class, which numbers of classes in ``groups`` need. Defaults to
            None: ``mmpaco.ClassPriorHook`` counts them before training.
        sum_eps (float): What is added to the probabilities of the sum, in
            [0, 1]. The release has 1e-7 for ImageNet-LT. Defaults to 0.0.

    Raises:
        ValueError: If an argument is out of range, or groups or counts do not
            fit the classes.

    Example:
        >>> import torch
        >>> from mmpaco.losses import ResLTLoss
        >>> # All classes, the two rarest, the rarest.
        >>> loss = ResLTLoss(3, 0.99, [3, 2, 1], class_counts=[50, 10, 2])
        >>> loss.members()
        tensor([[1., 1., 1.],
                [0., 1., 1.],
                [0., 0., 1.]])
        >>> loss(torch.zeros(3, 4, 3), torch.tensor([0, 1, 2, 0]))
        tensor(1.0986)
    """

    groups: Tensor

    def __init__(
        self,
        num_classes: int,
        beta: float,
        groups: Union[Sequence[Sequence[int]], Sequence[int], Tensor],
        loss_weight: float = 1.0,
        class_counts: Optional[CountsLike] = None,
        sum_eps: float = 0.0,
    ) -> None:
        super().__init__(num_classes, class_counts, loss_weight)
        for name, value in (('beta', beta), ('sum_eps', sum_eps)):
            if not 0 <= value <= 1:
                raise ValueError(f'{name} must lie in [0, 1], but got {value}')
        self.beta = beta
        self.sum_eps = sum_eps
        given = _as_groups(groups, num_classes)
        self.num_branches = len(given)
        self.sizes: Optional[tuple[int, ...]] = None
        if given.dim() == 1:
            self.sizes = tuple(given.tolist())
        # Of the config, and not of the checkpoint.
        self.register_buffer('groups', given, persistent=False)

    def members(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """Tell which classes are those of each branch.

        Args:
            dtype (torch.dtype): Precision of the result. Defaults to float32.

        Returns:
            Tensor: 0 and 1, of shape (E, C).

        Raises:
            RuntimeError: If groups are given by their sizes and the class
                counts are not set.
        """
        if self.sizes is None:
            return self.groups.to(dtype)
        counts = self.prior()
        order = counts.argsort(descending=True, stable=True)
        rank = torch.empty_like(order)
        rank[order] = torch.arange(len(order) - 1, -1, -1, device=order.device)
        return (rank < self.groups[:, None]).to(dtype)

    def check_scores(self, logits: Tensor) -> None:
        """See that there are scores of each branch."""
        expected = self.num_branches, self.num_classes
        if logits.dim() != 3 or logits.shape[::2] != expected:
            raise ValueError(
                f'expected scores of shape (E, N, C) of E={expected[0]} '
                f'branches and C={expected[1]} classes, but got '
                f'{tuple(logits.shape)}; use them in mmpaco.ResLTHead'
            )

    def losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Compute the loss of each image, whose mean is that of the batch.

        Args:
            logits (Tensor): Scores of shape (E, N, C).
            labels (Tensor): Class indices of shape (N, ).

        Returns:
            Tensor: Losses of shape (N, ).
        """
        is_member = self.members(logits.dtype)[:, labels]
        branches = is_member * _cross_entropy(logits, labels, _EPS)
        # A share of the images for each member, so that their mean is I.
        share = len(labels) / is_member.sum().clamp(min=1)
        total = _cross_entropy(logits.sum(0), labels, self.sum_eps)
        return self.beta * share * branches.sum(0) + (1 - self.beta) * total


def _cross_entropy(logits: Tensor, labels: Tensor, eps: float) -> Tensor:
    """Give -log(p + eps) of the class of each image.

    Args:
        logits (Tensor): Scores of shape (..., N, C).
        labels (Tensor): Class indices of shape (N, ).
        eps (float): What is added to the probability.

    Returns:
        Tensor: Shape (..., N).
    """
    found = logits.log_softmax(-1)
    index = labels.expand(logits.shape[:-1])[..., None]
    found = found.gather(-1, index).squeeze(-1)
    if not eps:
        return -found
    return -torch.logaddexp(found, found.new_tensor(math.log(eps)))


def _as_groups(groups: object, num_classes: int) -> Tensor:
    try:
        given = torch.as_tensor(groups)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f'groups {_EXPECTED}, but got {groups}') from error
    given = given.detach().clone()
    if given.dim() == 1 and len(given) and not given.is_floating_point():
        wrong = given[(given < 1) | (given > num_classes)]
        if len(wrong) or given.dtype == torch.bool:
            raise ValueError(
                f'groups are numbers of classes from 1 to {num_classes} '
                f'(num_classes), but got {given.tolist()}'
            )
        return given.long()
    if given.dim() != 2 or not len(given) or given.shape[1] != num_classes:
        raise ValueError(
            f'groups {_EXPECTED}, with C={num_classes} (num_classes), but '
            f'got shape {tuple(given.shape)} of {given.dtype}'
        )
    if not bool(((given == 0) | (given == 1)).all()):
        raise ValueError(
            'groups as a matrix are of 0 and 1, but got '
            f'{torch.unique(given)[:5].tolist()}'
        )
    empty = (given == 0).all(1).nonzero().flatten().tolist()
    if empty:
        raise ValueError(
            f'groups have no class in row {empty[0]}, whose branch would '
            'learn nothing of its own; leave the row out, with its branch'
        )
    return given.float()
