"""A hook that stores the weights of convolutions channels last."""

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmpaco.registry import HOOKS


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Trains with weights in channels-last order.

    A convolution follows the memory order of its weight, and neither mmengine
    nor a config can set it. Results are the same up to rounding; a small
    ResNet trains in four fifths of the time on a processor
    (docs/performance.md).

    Example:
        >>> from types import SimpleNamespace
        >>> from torch import nn
        >>> from mmpaco.registry import HOOKS
        >>> hook = HOOKS.build(dict(type='mmpaco.ChannelsLastHook'))
        >>> net = nn.Conv2d(8, 16, kernel_size=3)
        >>> hook.before_train(SimpleNamespace(model=net))  # as a runner does
        >>> net.weight.stride()
        (72, 1, 24, 8)
    """

    def before_train(self, runner: Runner) -> None:
        """Convert the model in place.

        Args:
            runner (Runner): It holds the model.
        """
        runner.model.to(memory_format=torch.channels_last)
