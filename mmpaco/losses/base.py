"""What a contrastive loss is given, and what all of them do around it."""

import contextlib
import warnings
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Optional

import torch
from torch import Tensor, nn

from .checks import check_inputs, check_numbers
from .class_prior import log_class_prior
from .labels import check_labels, is_counted
from .readable import is_readable

_IMPLS = ('tiled', 'dense')
_REDUCTIONS = ('mean', 'sum', 'none')
# Rows that were normalised in bfloat16 are that far off, at most.
_UNIT_TOLERANCE = 0.02
# Not empty once a process has been told of others.
_TOLD_OF_LENGTHS: list[bool] = []


class ContrastBatch(NamedTuple):
    """The arguments of :meth:`ContrastiveLoss.forward`, checked.

    All rows and scores are in one precision, float32 at least. Where there
    are no extra rows, they are tensors of zero rows. A loss that
    ``takes_images`` gets those of B images at once, with one more axis, the
    first, in all but the class counts.

    Args:
        features (Tensor): Anchors, unit rows of shape (N, D).
        labels (Tensor): Their classes, int64 of shape (N, ).
        center_logits (Tensor): Their scores of each class, of shape (N, C).
        extra_features (Tensor): Contrasts that are no anchors, (M, D).
        extra_labels (Tensor): Their classes, int64 of shape (M, ).
        class_counts (Tensor, optional): Training images per class, (C, ).
        under_autocast (bool): Whether autocast is on around the loss, so
            that half precision is good enough for the contrast.

    Example:
        >>> import torch
        >>> from mmpaco.losses import ContrastBatch
        >>> anchors, labels = torch.eye(2), torch.tensor([0, 1])
        >>> batch = ContrastBatch(
        ...     anchors, labels, torch.zeros(2, 2), anchors[:0], labels[:0],
        ...     class_counts=torch.tensor([3, 1]),
        ... )
        >>> batch.balanced_logits().softmax(1)[0]
        tensor([0.7500, 0.2500])
    """

    features: Tensor
    labels: Tensor
    center_logits: Tensor
    extra_features: Tensor
    extra_labels: Tensor
    class_counts: Optional[Tensor]
    under_autocast: bool = False

    def log_prior(self) -> Optional[Tensor]:
        """Give the log prior of the classes, where counts were given.

        Returns:
            Tensor: Shape (C, ), in the precision of the scores; or None.
        """
        if self.class_counts is None:
            return None
        return log_class_prior(self.class_counts, self.center_logits.dtype)

    def balanced_logits(self) -> Tensor:
        """Shift the scores by the log prior, where counts were given.

        Returns:
            Tensor: Scores of shape (N, C).
        """
        log_prior = self.log_prior()
        if log_prior is None:
            return self.center_logits
        return self.center_logits + log_prior


class ContrastiveLoss(nn.Module):
    """Base of the losses that ``mmpaco.GPaCoHead`` can be given.

    A loss of your own is a subclass with :meth:`anchor_losses`. Set
    ``uses_class_counts`` to True if it needs the class counts, and
    ``trains_centers`` to False if the scores have no part in it. Set
    ``takes_images`` to True beside :meth:`anchor_losses` if that can take the
    rows of B images at once; else it is called for each image.

    Args:
        temperature (float): Divisor of the similarities.
        base_temperature (float, optional): The contrast is multiplied by
            ``temperature / base_temperature``. Defaults to the temperature.
        ignore_index (int, optional): Rows of this label are no anchors and
            no positives, but stay contrasts. Defaults to None.
        reduction (str): 'mean' over the anchors that are not ignored, 'sum',
            or 'none'. Defaults to 'mean'.
        impl (str): 'tiled', which never holds an N x (N + M) matrix, or
            'dense', which is written as the equation reads, for a loss that
            has it. Defaults to 'tiled'.

    Raises:
        ValueError: If a parameter is out of range.

    Example:
        >>> import torch
        >>> import torch.nn.functional as F
        >>> from mmpaco.losses import ContrastiveLoss
        >>> class Centers(ContrastiveLoss):
        ...     def anchor_losses(self, batch):
        ...         scores = batch.center_logits / self.temperature
        ...         return F.cross_entropy(
        ...             scores, batch.labels, reduction='none'
        ...         )
        >>> anchors = F.normalize(torch.randn(6, 8), dim=1)
        >>> labels = torch.tensor([0, 1, 2, 0, 1, 2])
        >>> Centers(0.5)(anchors, labels, torch.zeros(6, 3))
        tensor(1.0986)
    """

    uses_class_counts = False
    trains_centers = True
    takes_images = False

    def __init__(
        self,
        temperature: float,
        base_temperature: Optional[float] = None,
        ignore_index: Optional[int] = None,
        reduction: str = 'mean',
        impl: str = 'tiled',
    ) -> None:
        super().__init__()
        check_numbers(
            temperature=temperature, base_temperature=base_temperature
        )
        if reduction not in _REDUCTIONS:
            raise ValueError(
                f'reduction must be one of {_REDUCTIONS}, but got '
                f'{reduction!r}'
            )
        if impl not in _IMPLS:
            raise ValueError(f'impl must be one of {_IMPLS}, but got {impl!r}')
        base: Any = ContrastiveLoss
        if impl == 'dense' and (
            type(self).dense_anchor_losses is base.dense_anchor_losses
        ):
            raise ValueError(
                f'{type(self).__name__} has no dense form; leave out impl'
            )
        self.temperature = temperature
        self.base_temperature = base_temperature
        self.ignore_index = ignore_index
        self.reduction = reduction
        self.impl = impl
        self._is_looked_at = False

    @property
    def scale(self) -> float:
        """What the contrast is multiplied by, 1 by default."""
        return self.temperature / (self.base_temperature or self.temperature)

    def anchor_losses(self, batch: ContrastBatch) -> Tensor:
        """Compute the loss of each anchor, with autocast switched off.

        Args:
            batch (ContrastBatch): What the loss is made of.

        Returns:
            Tensor: Losses of shape (N, ). What is given for ignored anchors
            has no meaning.
        """
        raise NotImplementedError(
            f'{type(self).__name__} must have a method anchor_losses'
        )

    def dense_anchor_losses(self, batch: ContrastBatch) -> Tensor:
        """Compute the same as the equation reads, for a loss that has both.

        Args:
            batch (ContrastBatch): What the loss is made of.

        Returns:
            Tensor: Losses of shape (N, ).
        """
        raise NotImplementedError

    def forward(
        self,
        features: Tensor,
        labels: Tensor,
        center_logits: Tensor,
        extra_features: Optional[Tensor] = None,
        extra_labels: Optional[Tensor] = None,
        class_counts: Optional[Tensor] = None,
    ) -> Tensor:
        """Compute the loss of a batch, or of B images.

        The anchors of an image are contrasted with each other and with its
        extra rows alone.

        Args:
            features (Tensor): Anchors, unit rows of shape (N, D), or
                (B, N, D).
            labels (Tensor): Their classes, integers of shape (N, ), or
                (B, N).
            center_logits (Tensor): Their scores of each class, of shape
                (N, C), or (B, N, C), from features that are not normalised.
            extra_features (Tensor, optional): Rows that are contrasts but no
                anchors (momentum keys, queue), of shape (M, D), or
                (B, M, D).
            extra_labels (Tensor, optional): Their classes, of shape (M, ),
                or (B, M).
            class_counts (Tensor, optional): Training images (or pixels) per
                class, or shares, of shape (C, ). None leaves out the class
                prior.

        Returns:
            Tensor: The loss in float32 (float64 if features or scores are):
            a scalar, for 'mean' the mean over images of the mean over their
            anchors, to which an image without anchors adds zero; or of the
            labels' shape and zero at ignored rows if reduction is 'none'.

        Raises:
            TypeError: If features or scores are not floating, labels are
                not integers, or class counts are no tensor of real numbers.
            ValueError: If a shape does not fit, or on the host a label is
                neither a class nor ignored, or the class counts are negative,
                not finite, or all zero.
        """
        check_inputs(
            features,
            labels,
            center_logits,
            extra_features,
            extra_labels,
            class_counts,
        )
        for given in (labels, extra_labels):
            if given is not None and is_readable(given):
                check_labels(given, center_logits.shape[-1], self.ignore_index)
        self._warn_of_lengths(features)
        dtype = torch.promote_types(
            torch.promote_types(features.dtype, center_logits.dtype),
            torch.float32,
        )
        if extra_features is None or extra_labels is None:
            extra_features = features[..., :0, :].detach()
            extra_labels = labels[..., :0]
        under_autocast = _is_autocast(features)
        with _no_autocast(features):
            batch = ContrastBatch(
                features.to(dtype),
                labels.long(),
                center_logits.to(dtype),
                extra_features.to(dtype),
                extra_labels.long(),
                class_counts,
                under_autocast,
            )
            return self._reduce(self._losses(batch), batch.labels)

    def _losses(self, batch: ContrastBatch) -> Tensor:
        is_dense = self.impl == 'dense'
        loss_of = self.dense_anchor_losses if is_dense else self.anchor_losses
        if batch.features.dim() == 3 and not len(batch.features):
            # A zero that still has a graph.
            return batch.features.sum(2) + batch.center_logits.sum(2)
        # All pairs of all images at once would be B times the memory.
        if batch.features.dim() == 2 or (
            self._takes_all_images() and not is_dense
        ):
            return loss_of(batch)
        images = [
            ContrastBatch(*image, *batch[5:]) for image in zip(*batch[:5])
        ]
        return torch.stack([loss_of(image) for image in images])

    def _takes_all_images(self) -> bool:
        """Whether the losses were written for images, and not for rows.

        A subclass of a loss that takes them may not do so.
        """
        for kind in type(self).__mro__:
            if 'anchor_losses' in vars(kind):
                return bool(vars(kind).get('takes_images', False))
        return False

    def _warn_of_lengths(self, features: Tensor) -> None:
        """Tell once of rows that are not normalised, where they are read."""
        if self._is_looked_at or _TOLD_OF_LENGTHS or not is_readable(features):
            return
        self._is_looked_at = True
        lengths = features.detach().float().norm(dim=-1)
        # Rows of zeros are what F.normalize makes of zeros.
        is_off = ((lengths - 1).abs() > _UNIT_TOLERANCE) & (lengths > 0)
        if is_off.any():
            _TOLD_OF_LENGTHS.append(True)
            warnings.warn(
                'features should be rows of length one, but have lengths of '
                f'{float(lengths.min()):.3g} to {float(lengths.max()):.3g}; '
                'use torch.nn.functional.normalize(features, dim=1)',
                stacklevel=5,
            )

    def _reduce(self, loss: Tensor, labels: Tensor) -> Tensor:
        """Reduce the losses of the anchors that are not ignored."""
        if not isinstance(loss, Tensor) or loss.shape != labels.shape:
            given = getattr(loss, 'shape', loss)
            raise ValueError(
                f'{type(self).__name__}.anchor_losses must return one loss '
                f'for each of {len(labels)} anchors, of shape '
                f'{tuple(labels.shape)}, but gave {given}'
            )
        valid = is_counted(labels, self.ignore_index)
        # An exact zero that still has a graph where no anchor is left.
        loss = torch.where(valid, loss, torch.zeros_like(loss))
        if self.reduction == 'none':
            return loss
        if self.reduction == 'sum':
            return loss.sum()
        of_images = loss.sum(-1) / valid.sum(-1).clamp(min=1)
        return of_images.sum() / max(1, of_images.numel())

    def extra_repr(self) -> str:
        """Show all arguments when the module is printed."""
        hidden = ('training', 'uses_class_counts')
        return ', '.join(
            f'{name}={value!r}'
            for name, value in vars(self).items()
            if not name.startswith('_') and name not in hidden
        )


def _is_autocast(tensor: Tensor) -> bool:
    if tensor.is_cuda:
        return torch.is_autocast_enabled()
    return False


def _no_autocast(tensor: Tensor) -> AbstractContextManager[None]:
    # The meta device, which has no kernels to cast for, refuses a context.
    if tensor.is_meta:
        return contextlib.nullcontext()
    return torch.autocast(tensor.device.type, enabled=False)
