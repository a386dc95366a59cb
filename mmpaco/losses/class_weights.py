"""Weight of each class by its effective number of images.

Class-Balanced Loss Based on Effective Number of Samples, Cui et al., CVPR
2019, https://arxiv.org/abs/1901.05555
"""

import math

import torch
from torch import Tensor

from .class_counts import check_counts_of_loss
from .readable import has_values, is_readable

# What a weight of 1 is that of.
_UNITS = ('mean_number', 'mean_weight')


def check_effective_base(beta: float) -> None:
    """Raise a ``ValueError`` for a beta that gives no effective numbers."""
    if not 0 <= beta < 1:
        raise ValueError(
            'beta of the effective numbers must be in [0, 1), such as 0.9999, '
            f'or 0 for no class weights, but got {beta}'
        )


def check_no_shares(class_counts: Tensor) -> None:
    """Raise a ``ValueError`` for shares, whose values it reads."""
    if (
        class_counts.is_floating_point()
        and float(class_counts.sum()) <= 1 + 1e-3
    ):
        raise ValueError(
            'the effective number of images is that of counts, but got shares '
            f'that sum to {float(class_counts.sum()):.4g}; give the images '
            'per class, or leave out the class weights (reweight=False, or '
            'beta=0)'
        )


def look_for_shares(class_counts: Tensor) -> bool:
    """Look for shares among the counts of a first loss, also on a device.

    Only there: it waits for the device.

    Args:
        class_counts (Tensor): Training images per class.

    Returns:
        bool: Whether there was something to look at.

    Raises:
        ValueError: If they are shares.
    """
    if class_counts.is_meta or not has_values(class_counts):
        return False
    check_no_shares(class_counts)
    return True


def effective_number_weights(
    class_counts: Tensor,
    dtype: torch.dtype = torch.float32,
    beta: float = 0.999,
    unit: str = 'mean_number',
) -> Tensor:
    r"""Weight of each class by its effective number of images.

    The effective number is :math:`E_c = (1 - \beta^{n_c}) / (1 - \beta)`, and
    the weights are in proportion to :math:`1 / E_c` (Class-Balanced Loss, CVPR
    2019, https://arxiv.org/abs/1901.05555).

    Args:
        class_counts (Tensor): Training images per class, of shape (C, ), and
            not shares: the equation knows how many images are many.
        dtype (torch.dtype): That of the loss. Defaults to float32.
        beta (float): Base of the effective number, in [0, 1); at 0 all
            weights are 1. Defaults to 0.999.
        unit (str): What has the weight 1. 'mean_number': a class whose
            effective number is the mean of all, as in the re-weighted loss of
            GPaCo's release. 'mean_weight': the mean of the weights, so that
            they sum to C, as in the paper. Defaults to 'mean_number'.

    Returns:
        Tensor: The weights, of shape (C, ), in ``dtype``. A class without
        images has that of one image.

    Raises:
        TypeError: If the counts are no tensor of real numbers.
        ValueError: If ``beta`` or ``unit`` is out of range, or, on the host,
            a count is negative, infinite or nan, or all are zero.

    Example:
        >>> import torch
        >>> from mmpaco.losses import effective_number_weights
        >>> counts = torch.tensor([1000, 100, 10])
        >>> effective_number_weights(counts)
        tensor([ 0.3888,  2.5820, 24.6931])
        >>> effective_number_weights(counts, unit='mean_weight')
        tensor([0.0422, 0.2800, 2.6778])
    """
    check_counts_of_loss(class_counts)
    check_effective_base(beta)
    if unit not in _UNITS:
        raise ValueError(f'unit must be one of {_UNITS}, but got {unit!r}')
    if is_readable(class_counts):
        check_no_shares(class_counts)
    counts = class_counts.to(dtype)
    if beta == 0:
        return torch.ones_like(counts)
    # The divisor 1 - beta cancels.
    effective = -torch.expm1(counts * math.log(beta))
    at_least_one = effective.clamp(min=1 - beta)
    if unit == 'mean_number':
        return effective.mean() / at_least_one
    inverse = 1 / at_least_one
    return inverse / inverse.mean()
