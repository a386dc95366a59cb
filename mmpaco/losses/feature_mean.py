"""The running mean of features that De-confound-TDE takes out at test.

Long-Tailed Classification by Keeping the Good and Removing the Bad Momentum
Causal Effect, Tang et al., NeurIPS 2020, https://arxiv.org/abs/2009.12991
"""

from typing import Optional

import torch
from torch import Tensor, nn


class FeatureMean(nn.Module):
    r"""A decaying sum of the mean feature of each training batch, a buffer.

    :math:`e \leftarrow \mu e + \frac{1}{N} \sum_i x_i`, of which only the
    direction matters, so no factor :math:`1 - \mu` is needed. In a loop of
    your own call :meth:`move` after each step. In a run of mmengine a head
    stages its features, and ``mmpaco.CausalNormHook`` moves the mean when the
    optimizer has taken its step.

    Args:
        channels (int): Size D of the features.
        momentum (float): :math:`\mu`. Defaults to 0.9.
        full_rate (float, optional): The learning rate down to which the
            momentum is as given; below, it rises to 1 as the rate falls to 0:
            :math:`1 - (1 - \mu) \min(rate / full\_rate, 1)`. The release has
            0.02 for ImageNet-LT. Defaults to None: it is constant.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> import torch
        >>> from mmpaco.losses import FeatureMean
        >>> mean = FeatureMean(channels=2)
        >>> mean().tolist()
        [0.0, 0.0]
        >>> for _ in range(2):
        ...     mean.move(torch.tensor([1.0, 2.0]))
        >>> mean()
        tensor([1.9000, 3.8000])
    """

    value: Tensor

    def __init__(
        self,
        channels: int,
        momentum: float = 0.9,
        full_rate: Optional[float] = None,
    ) -> None:
        super().__init__()
        if channels < 1:
            raise ValueError(f'channels must be positive, but got {channels}')
        if not 0 <= momentum <= 1:
            raise ValueError(
                f'momentum must lie in [0, 1], but got {momentum}'
            )
        if full_rate is not None and not 0 < full_rate < float('inf'):
            raise ValueError(
                'full_rate must be a positive learning rate, or None for a '
                f'constant momentum, but got {full_rate}'
            )
        self.momentum = momentum
        self.full_rate = full_rate
        self.register_buffer('value', torch.zeros(channels))
        self._staged: Optional[tuple[Tensor, int]] = None

    def forward(self) -> Tensor:
        """Give the decaying sum.

        Returns:
            Tensor: Shape (D, ); zeros before any training.
        """
        return self.value

    def stage(self, features: Tensor) -> None:
        """Keep the sum of a batch aside until the iteration has ended.

        Args:
            features (Tensor): Shape (N, D).

        Raises:
            RuntimeError: If nobody has taken that of the last call.
        """
        if self._staged is not None:
            raise RuntimeError(
                'the features of the last iteration did not enter the mean; '
                "add dict(type='mmpaco.CausalNormHook') to custom_hooks; in "
                'a loop of your own call take_staged and move after each step'
            )
        total = features.detach().sum(0, dtype=self.value.dtype)
        self._staged = total, len(features)

    def take_staged(self) -> tuple[Tensor, int]:
        """Give what is staged and forget it.

        Returns:
            tuple[Tensor, int]: The sum of the features, of shape (D, ), and
            their number; zeros where nothing is.
        """
        staged, self._staged = self._staged, None
        return (torch.zeros_like(self.value), 0) if staged is None else staged

    @torch.no_grad()
    def move(self, mean: Tensor, rate: Optional[float] = None) -> None:
        """Let the mean feature of a step's images enter.

        Where it is not finite, all stays as it is.

        Args:
            mean (Tensor): Shape (D, ).
            rate (float, optional): The learning rate of the step. None is
                one with the momentum as given.
        """
        share = 1.0
        if self.full_rate is not None and rate is not None:
            share = min(rate / self.full_rate, 1.0)
        momentum = 1 - (1 - self.momentum) * share
        moved = momentum * self.value + mean.to(self.value.dtype)
        self.value.copy_(
            torch.where(moved.isfinite().all(), moved, self.value)
        )

    @torch.no_grad()
    def clear(self) -> None:
        """Begin anew, and forget what is staged."""
        self.value.zero_()
        self._staged = None

    def extra_repr(self) -> str:
        """Show the arguments when the module is printed."""
        return (
            f'channels={len(self.value)}, momentum={self.momentum}, '
            f'full_rate={self.full_rate}'
        )
