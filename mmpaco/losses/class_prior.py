"""The class prior of balanced softmax."""

import warnings
from collections.abc import Sequence
from typing import Optional, Union

import torch
from torch import Tensor

from .data_state import DataState

# Keeps the logarithm finite for a class that has no training image.
_EPS = 1e-9


def log_class_prior(
    class_counts: Tensor, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Logarithm of each class's share of the training set.

    Args:
        class_counts (Tensor): Training images (or pixels) per class, of
            shape (C, ).
        dtype (torch.dtype): That of the scores it is added to. Defaults to
            float32.

    Returns:
        Tensor: ``log(n_c / sum(n) + 1e-9)`` of shape (C, ), in ``dtype``,
        whatever the counts are.

    Example:
        >>> import torch
        >>> from mmpaco.losses import log_class_prior
        >>> log_class_prior(torch.tensor([60, 30, 10])).exp()
        tensor([0.6000, 0.3000, 0.1000])
    """
    counts = class_counts.to(dtype)
    return torch.log(counts / counts.sum() + _EPS)


class ClassPrior(DataState):
    """Training images per class, kept in a buffer of the model.

    ``mmpaco.ClassPriorHook`` fills it before training, and the checkpoint
    carries it. A checkpoint fills only a prior that nobody has set.

    Args:
        num_classes (int): The class count C.
        class_counts (Sequence[int] | Tensor, optional): The counts, which the
            hook then leaves alone. Defaults to None: not set yet.

    Raises:
        ValueError: If ``num_classes`` is not positive, or as by
            :meth:`set_class_counts`.

    Example:
        >>> from mmpaco.losses import ClassPrior
        >>> prior = ClassPrior(num_classes=3)
        >>> prior.set_class_counts([60, 30, 10])
        >>> prior().tolist(), list(prior.state_dict())
        ([60, 30, 10], ['class_counts'])
    """

    class_counts: Tensor

    def __init__(
        self,
        num_classes: int,
        class_counts: Optional[Union[Sequence[int], Tensor]] = None,
    ) -> None:
        super().__init__()
        if num_classes < 1:
            raise ValueError(
                f'num_classes must be positive, but got {num_classes}'
            )
        self.num_classes = num_classes
        self.register_buffer(
            'class_counts', torch.zeros(num_classes, dtype=torch.int64)
        )
        self._is_known = False
        self._is_set = False
        self.is_given = class_counts is not None
        if class_counts is not None:
            self.set_class_counts(class_counts)

    def set_class_counts(self, counts: Union[Sequence[int], Tensor]) -> None:
        """Store the training images per class.

        Args:
            counts (Sequence[int] | Tensor): One count for each class, none
                of them negative, at least one of them positive.

        Raises:
            ValueError: If the number of counts is not the class count, a
                count is negative, or all are zero.
        """
        values = torch.as_tensor(counts)
        if values.shape != (self.num_classes,):
            raise ValueError(
                f'expected {self.num_classes} class counts (num_classes), '
                f'but got shape {tuple(values.shape)}; num_classes of the '
                'model and the classes of the training set must agree'
            )
        if (values < 0).any():
            raise ValueError(
                'class counts must not be negative, but got '
                f'{values[values < 0].tolist()}'
            )
        if not values.any():
            raise ValueError(
                'all class counts are zero; the training set has no labels'
            )
        self.class_counts.copy_(values)
        self._is_set = True

    def forget_loaded(self) -> None:
        """Drop counts that came with a checkpoint, and keep those set here."""
        if not self._is_set:
            self.class_counts.zero_()
            self._is_known = False

    def _keeps_own(self) -> bool:
        return self._is_set

    def _was_loaded(self) -> None:
        self._is_known = False

    def extra_repr(self) -> str:
        """Show the arguments when the module is printed."""
        return f'num_classes={self.num_classes}, is_given={self.is_given}'

    def forward(self) -> Tensor:
        """Give the class counts.

        Returns:
            Tensor: Training images per class, int64 of shape (C, ).

        Raises:
            RuntimeError: If nothing has set the counts.
        """
        # Read once, at the first loss: later steps do not wait for a device.
        if not self._is_known:
            if not bool(self.class_counts.any()):
                raise RuntimeError(
                    'the class prior has not been set; add '
                    "dict(type='mmpaco.ClassPriorHook') to custom_hooks, or "
                    'call set_class_counts before training'
                )
            if self.training and not self._is_set:
                warnings.warn(
                    'the class prior is that of the data of a checkpoint; to '
                    'train on other data, add dict(type='
                    "'mmpaco.ClassPriorHook') to custom_hooks, or call "
                    'set_class_counts',
                    stacklevel=2,
                )
            self._is_known = True
        return self.class_counts
