"""The average of an encoder that PaCo's keys come from."""

from typing import Any

import torch
from mmengine.model import ExponentialMovingAverage
from torch import nn


class MomentumEncoder(ExponentialMovingAverage):
    """mmengine's moving average, which nobody waits for.

    mmengine reads its count of steps twice in each of them, for which a
    device would be waited for. Here it is read at the first step, and again
    where a state has been loaded. Weights, buffers and state are the same.

    Args:
        model (nn.Module): What is averaged.
        momentum (float): Share of the new weights in a step.

    Example:
        >>> from torch import nn
        >>> from mmpaco.cls.models.momentum_encoder import MomentumEncoder
        >>> model = nn.Linear(1, 1)
        >>> encoder = MomentumEncoder(model, momentum=0.25)
        >>> encoder.update_parameters(model)
        >>> _ = nn.init.ones_(model.bias), nn.init.zeros_(encoder.module.bias)
        >>> encoder.update_parameters(model)
        >>> encoder.module.bias.item(), int(encoder.steps)
        (0.25, 2)
    """

    def __init__(self, model: nn.Module, momentum: float) -> None:
        super().__init__(model, momentum=momentum)
        self._has_begun = False

    @torch.no_grad()
    def begin(self, model: nn.Module) -> bool:
        """Take over the weights of a model, unless there are averages.

        Args:
            model (nn.Module): What is averaged.

        Returns:
            bool: Whether there were none.
        """
        begins = not self._has_begun and not bool(self.steps)
        if begins:
            super().update_parameters(model)
        self._has_begun = True
        return begins

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """Go a step towards the weights of a model, or begin with them.

        Args:
            model (nn.Module): What is averaged.
        """
        if self.begin(model):
            return
        own = dict(self.module.named_parameters())
        theirs = dict(model.named_parameters())
        names = [x for x in own if own[x].is_floating_point()]
        if names:
            torch._foreach_lerp_(
                [own[x] for x in names],
                [theirs[x] for x in names],
                self.momentum,
            )
        buffers = list(self.module.buffers())
        if buffers:
            torch._foreach_copy_(buffers, list(model.buffers()))
        self.steps += 1

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._has_begun = False
