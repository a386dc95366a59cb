"""The class prior of balanced softmax."""

import warnings
from typing import Any, Optional

import torch
from torch import Tensor

from .class_counts import CountsLike, as_class_counts, check_counts_of_loss
from .data_state import DataState

# Keeps the logarithm finite for a class that has no training image.
_EPS = 1e-9


def log_class_prior(
    class_counts: Tensor, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Logarithm of each class's share of the training set.

    Args:
        class_counts (Tensor): Training images (or pixels) per class, or
            shares, of shape (C, ).
        dtype (torch.dtype): That of the scores it is added to. Defaults to
            float32.

    Returns:
        Tensor: ``log(n_c / sum(n) + 1e-9)`` of shape (C, ), in ``dtype``,
        whatever the counts are.

    Raises:
        TypeError: If the counts are no tensor of real numbers.
        ValueError: If, on the host, one is negative, infinite or nan, or all
            are zero.

    Example:
        >>> import torch
        >>> from mmpaco.losses import log_class_prior
        >>> log_class_prior(torch.tensor([60, 30, 10])).exp()
        tensor([0.6000, 0.3000, 0.1000])
    """
    check_counts_of_loss(class_counts)
    # Counts may be beyond the range of the scores, and the small number below
    # that of half precision.
    inside = torch.promote_types(dtype, torch.float32)
    counts = class_counts.to(torch.promote_types(class_counts.dtype, inside))
    shares = (counts / counts.sum()).to(inside)
    return torch.log(shares + _EPS).to(dtype)


class ClassPrior(DataState):
    """Training images per class, kept in a buffer of the model.

    ``mmpaco.ClassPriorHook`` fills it before training, and the checkpoint
    carries it. A checkpoint fills only a prior that nobody has set.

    Args:
        num_classes (int): The class count C.
        class_counts (Sequence[float] | Tensor, optional): The counts, which
            the hook then leaves alone. They may be shares. Defaults to None:
            not set yet.

    Raises:
        TypeError: As by :meth:`set_class_counts`.
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
        class_counts: Optional[CountsLike] = None,
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

    def set_class_counts(self, counts: CountsLike) -> None:
        """Store the training images per class, or shares, as they are.

        Args:
            counts (Sequence[float] | Tensor): One finite count for each
                class, none of them negative, at least one of them positive.

        Raises:
            TypeError: If the counts are not real numbers.
            ValueError: If the number of counts is not the class count, a
                count is negative, infinite or nan, or all are zero.
        """
        values = as_class_counts(counts, self.num_classes)
        # In place, unless whole numbers would cut shares off.
        self.class_counts = self.class_counts.to(values.dtype).copy_(values)
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

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        theirs = state_dict.get(f'{prefix}class_counts')
        if theirs is not None and not self._is_set:
            # Copied into whole numbers, shares would become 0.
            self.class_counts = self.class_counts.to(theirs.dtype)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def _apply(self, *args: Any, **kwargs: Any) -> 'ClassPrior':
        counts = self.class_counts
        super()._apply(*args, **kwargs)  # type: ignore[no-untyped-call]
        # A model in half precision has no room for many images.
        if self.class_counts.dtype != counts.dtype:
            self.class_counts = counts.to(self.class_counts.device)
        return self

    def forward(self) -> Tensor:
        """Give the class counts.

        Returns:
            Tensor: Training images per class, of shape (C, ): int64, or
            floating if they were set so.

        Raises:
            RuntimeError: If nothing has set the counts.
            ValueError: If those of a checkpoint are no counts.
        """
        # Read once, at the first loss: later steps do not wait for a device.
        if not self._is_known:
            if not bool(self.class_counts.any()):
                raise RuntimeError(
                    'the class prior has not been set; add '
                    "dict(type='mmpaco.ClassPriorHook') to custom_hooks, or "
                    'call set_class_counts before training'
                )
            as_class_counts(self.class_counts)
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
