"""Class counts: what may be one, for whatever is given them."""

import math
from collections.abc import Sequence
from typing import Any, Optional, Union

import torch
from torch import Tensor

from .readable import is_readable

CountsLike = Union[Sequence[float], Tensor]


def as_class_counts(counts: Any, num_classes: Optional[int] = None) -> Tensor:
    """Check class counts where they are set, and make a tensor of them.

    It reads the values, which waits for a device: not for a training step.

    Args:
        counts (Sequence[float] | np.ndarray | Tensor): Training images (or
            pixels) per class, of shape (C, ). They may be shares.
        num_classes (int, optional): The class count C. None takes any.

    Returns:
        Tensor: The counts as they are: int64 if they were integers, else
        floating (float64 if they were no tensor), of shape (C, ).

    Raises:
        TypeError: If they are not real numbers.
        ValueError: If their number is not C, one is negative, infinite or
            nan, or all are zero.

    Example:
        >>> from mmpaco.losses import as_class_counts
        >>> as_class_counts([60, 30, 10], num_classes=3)
        tensor([60, 30, 10])
        >>> as_class_counts([0.6, float('nan')])
        Traceback (most recent call last):
            ...
        ValueError: class counts must be finite and not negative, but got
        [nan]; give the training images or pixels of each class, or shares
    """
    try:
        if not isinstance(counts, Tensor) and hasattr(counts, 'tolist'):
            # Arrays may have strides and dtypes that tensors have not.
            counts = counts.tolist()
        values = torch.as_tensor(counts)
        if values.is_floating_point() and not isinstance(counts, Tensor):
            values = torch.as_tensor(counts, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(
            'class counts must be numbers, one for each class, but got '
            f'{str(counts)[:80]} ({type(counts).__name__})'
        ) from error
    values = values.detach()
    _check_dtype(values)
    if num_classes is not None and values.shape != (num_classes,):
        raise ValueError(
            f'expected {num_classes} class counts (num_classes), '
            f'but got shape {tuple(values.shape)}; num_classes of the '
            'model and the classes of the training set must agree'
        )
    if values.dim() != 1 or not len(values):
        raise ValueError(
            'expected one class count for each class, but got shape '
            f'{tuple(values.shape)}'
        )
    _check_values(values)
    return values if values.is_floating_point() else values.long()


def check_counts_of_loss(
    class_counts: Any, logits: Optional[Tensor] = None
) -> None:
    """Check the class counts that a loss is given in a training step.

    Values are read where they are on the host, and not from a device.

    Args:
        class_counts: What should be a tensor of shape (C, ).
        logits (Tensor, optional): Class scores of shape (N, C, ...). None
            takes any number of counts.

    Raises:
        TypeError: If they are no tensor, or not of real numbers.
        ValueError: If there is not one for each class, or, on the host, as by
            :func:`as_class_counts`.
    """
    if not isinstance(class_counts, Tensor):
        raise TypeError(
            'class_counts must be a tensor of shape (C, ), but got '
            f'{type(class_counts).__name__}; make it once, before training: '
            'torch.as_tensor(class_counts, device=logits.device)'
        )
    _check_dtype(class_counts)
    if logits is not None and class_counts.shape != logits.shape[1:2]:
        raise ValueError(
            f'expected one class count for each of {logits.shape[1]} '
            f'classes, but got shape {tuple(class_counts.shape)}'
        )
    if is_readable(class_counts):
        _check_values(class_counts)


def counts_of_images(class_counts: Tensor) -> tuple[Tensor, Tensor]:
    """Count classes without images as the rarest one with images.

    Args:
        class_counts (Tensor): Training images per class, or shares, floating
            of shape (C, ).

    Returns:
        tuple[Tensor, Tensor]: The counts, all of them positive, and the least
        of them.
    """
    none = class_counts == 0
    rarest = class_counts.masked_fill(none, math.inf).min()
    return torch.where(none, rarest, class_counts), rarest


def _check_dtype(values: Tensor) -> None:
    if values.dtype == torch.bool or values.is_complex():
        raise TypeError(
            'class counts must be integers or floating, but got '
            f'{values.dtype}'
        )


def _check_values(values: Tensor) -> None:
    # In float64, which every kernel has; nan is both least and most.
    least, most = (float(x) for x in values.double().aminmax())
    if not 0 <= least <= most < float('inf'):
        wrong = values[~((values >= 0) & values.isfinite())]
        raise ValueError(
            'class counts must be finite and not negative, but got '
            f'{wrong[:5].tolist()}; give the training images or pixels of '
            'each class, or shares'
        )
    if most == 0:
        raise ValueError(
            'all class counts are zero; the training set has no labels'
        )
