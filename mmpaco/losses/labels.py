"""Labels, and the label that is ignored."""

from typing import Optional

import torch
from torch import Tensor


def is_counted(labels: Tensor, ignore_index: Optional[int]) -> Tensor:
    """Tell which rows are not ignored.

    Args:
        labels (Tensor): Class labels of shape (N, ).
        ignore_index (int, optional): The label that is ignored.

    Returns:
        Tensor: bool of shape (N, ).
    """
    if ignore_index is None:
        return torch.ones_like(labels, dtype=torch.bool)
    return labels != ignore_index


def class_index(
    labels: Tensor, ignore_index: Optional[int], ignored: int = 0
) -> Tensor:
    """Give labels that are safe to index with.

    Args:
        labels (Tensor): Class labels of shape (N, ).
        ignore_index (int, optional): The label that is ignored.
        ignored (int): What ignored rows get instead. Defaults to 0.

    Returns:
        Tensor: Integers of shape (N, ).
    """
    if ignore_index is None:
        return labels
    return labels.masked_fill(labels == ignore_index, ignored)


def check_labels(
    labels: Tensor,
    num_classes: Optional[int] = None,
    ignore_index: Optional[int] = None,
) -> None:
    """Check the values of labels, where they still are on the host.

    It reads the values, so calling it on labels of an accelerator makes the
    host wait: call it where labels enter, not inside a loss.

    Args:
        labels (Tensor): Integer class labels of any shape.
        num_classes (int, optional): The class count C. None checks no upper
            bound.
        ignore_index (int, optional): A label that is always allowed.

    Raises:
        TypeError: If the labels are not integers.
        ValueError: If a label is outside of ``[0, num_classes)`` and is not
            the ignore label.

    Example:
        >>> import torch
        >>> from mmpaco.losses import check_labels
        >>> labels = torch.tensor([0, 2, 255, 3])
        >>> check_labels(labels, num_classes=4, ignore_index=255)
        >>> check_labels(labels, num_classes=3, ignore_index=255)
        Traceback (most recent call last):
            ...
        ValueError: labels must lie in [0, 3) or be ignore_index=255, but got
        [3]; check the annotations, num_classes and the ignore label
    """
    if (
        labels.is_floating_point()
        or labels.is_complex()
        or labels.dtype == torch.bool
    ):
        raise TypeError(
            f'labels must be integers, but got {labels.dtype}; '
            'convert class scores to class indices first'
        )
    bad = labels < 0
    if num_classes is not None:
        bad = bad | (labels >= num_classes)
    if ignore_index is not None:
        bad = bad & (labels != ignore_index)
    if bad.any():
        values = torch.unique(labels[bad])[:5].tolist()
        upper = 'C' if num_classes is None else num_classes
        raise ValueError(
            f'labels must lie in [0, {upper}) or be ignore_index='
            f'{ignore_index}, but got {values}; check the annotations, '
            'num_classes and the ignore label'
        )
