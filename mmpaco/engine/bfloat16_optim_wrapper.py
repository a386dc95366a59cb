"""Training in bfloat16 on any device."""

import contextlib
from collections.abc import Iterator

import torch
from mmengine.optim import OptimWrapper
from torch import nn

from mmpaco.registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """Trains in bfloat16 where it is safe, also on a processor.

    mmengine's ``AmpOptimWrapper`` refuses to run on a processor, where those
    with matrix units (AMX) take half the time in bfloat16. That needs no
    scale of the loss. On a GPU it does what ``AmpOptimWrapper`` with
    ``dtype='bfloat16'`` does. Losses of mmpaco are computed in float32.

    Args:
        optimizer (torch.optim.Optimizer): The optimizer.
        **kwargs: Other arguments of mmengine's ``OptimWrapper``:
            ``accumulative_counts``, ``clip_grad``.

    Example:
        >>> import torch
        >>> from mmpaco.registry import OPTIM_WRAPPERS
        >>> model = torch.nn.Linear(3, 4)
        >>> optim_wrapper = OPTIM_WRAPPERS.build(dict(
        ...     type='mmpaco.BFloat16OptimWrapper',
        ...     optimizer=torch.optim.SGD(model.parameters(), lr=0.1)))
        >>> with optim_wrapper.optim_context(model):
        ...     out = model(torch.ones(2, 3))
        >>> out.dtype, model.weight.dtype
        (torch.bfloat16, torch.float32)
    """

    @contextlib.contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Give the context in which a batch goes through the model.

        Args:
            model (nn.Module): The model.
        """
        device = next(model.parameters()).device.type
        with (
            super().optim_context(model),
            torch.autocast(device, torch.bfloat16),
        ):
            yield
