"""What a head does about values that are not finite."""

from typing import Optional

import torch
from mmengine.dist import all_reduce
from mmengine.logging import MessageHub
from torch import Tensor, nn

_MODES = ('raise', 'skip')


class NonFiniteGuard(nn.Module):
    """Tell whether a step must do without its contrast.

    With 'raise' there is an error that names the head and the iteration. On
    the host it comes before the backward. A device would be waited for, so
    there the answer is read when the iteration has ended, by
    ``mmpaco.PaCoQueueHook`` before a checkpoint is written, or else by the
    next loss.

    With 'skip' the answer is needed at once, which costs a wait for the device
    in each step.

    Args:
        head (str): Name of the head in messages.
        on_nonfinite (str): 'raise' or 'skip'.

    Raises:
        ValueError: If ``on_nonfinite`` is neither.
    """

    def __init__(self, head: str, on_nonfinite: str) -> None:
        super().__init__()
        if on_nonfinite not in _MODES:
            raise ValueError(
                f'on_nonfinite must be one of {_MODES}, but got '
                f'{on_nonfinite!r}'
            )
        self.head = head
        self.on_nonfinite = on_nonfinite
        self.num_skipped = 0
        self._pending: Optional[tuple[Tensor, Optional[int]]] = None

    def forward(self, *tensors: Tensor, jointly: bool = False) -> bool:
        """Look at the tensors that the contrast is made of.

        Args:
            *tensors (Tensor): Features, embeddings, scores.
            jointly (bool): Whether all ranks must skip if one does, since
                they wait for each other's rows. Defaults to False.

        Returns:
            bool: Whether to skip the contrast.

        Raises:
            RuntimeError: If a value is not finite, with 'raise'.
        """
        self.check()
        finite = torch.stack([x.detach().isfinite().all() for x in tensors])
        finite = finite.all().to(torch.int32)
        if jointly:
            all_reduce(finite, 'min')
        if self.on_nonfinite == 'skip':
            skipped = not bool(finite)
            self.num_skipped += skipped
            return skipped
        iteration = MessageHub.get_current_instance().get_info('iter')
        self._pending = finite, iteration
        if finite.is_cpu:
            self.check()
        return False

    def cleaned(self, features: Tensor) -> Tensor:
        """Put zeros for what is not finite, if such a step is skipped.

        The running statistics of batch norm would never lose it again.

        Args:
            features (Tensor): Input of a projector.

        Returns:
            Tensor: The same shape; with 'raise', the same tensor.
        """
        if self.on_nonfinite == 'raise':
            return features
        return torch.nan_to_num(features, 0.0, 0.0, 0.0)

    def check(self) -> None:
        """Raise the error that is due, if any.

        Raises:
            RuntimeError: If a value of the last step was not finite.
        """
        pending, self._pending = self._pending, None
        if pending is None or bool(pending[0]):
            return
        step = '' if pending[1] is None else f' in iteration {pending[1] + 1}'
        raise RuntimeError(
            f'{self.head}: features, embeddings or scores are not finite'
            f'{step}. Lower the learning rate or clip gradients, and look at '
            "the data of that step; on_nonfinite='skip' leaves out the "
            'contrast of such a step'
        )


def zero_loss(head: nn.Module, *tensors: Tensor) -> Tensor:
    """Give a zero that keeps the graph whole, whatever the values.

    DDP waits for a gradient of each parameter.

    Args:
        head (nn.Module): The head whose parameters are in the graph.
        *tensors (Tensor): What else must be in it.

    Returns:
        Tensor: A scalar.
    """
    parts: list[Tensor] = [p for p in head.parameters() if p.requires_grad]
    # Zero times nan is nan; its gradient is zero where there is one.
    parts += [torch.nan_to_num(x, 0.0, 0.0, 0.0) for x in tensors]
    # A sum in float16 may be infinite.
    return 0.0 * torch.stack([part.float().sum() for part in parts]).sum()
