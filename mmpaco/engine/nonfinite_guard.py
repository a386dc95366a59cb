"""What a head does about values that are not finite."""

from typing import Any, Optional

import torch
from mmengine.logging import MessageHub
from torch import Tensor, nn


class NonFiniteGuard(nn.Module):
    """Raise an error where what the contrast is made of is not finite.

    It names the head and the iteration. On the host it comes before the
    backward. A device would be waited for, so there the answer is read later:
    when the iteration has ended, by ``mmpaco.PaCoQueueHook``; before the next
    loss; and before the state of the model is given, so that no checkpoint is
    written of a model that was trained on such values.

    Args:
        head (str): Name of the head in the message.
    """

    def __init__(self, head: str) -> None:
        super().__init__()
        self.head = head
        self._pending: Optional[tuple[Tensor, Optional[int]]] = None

    def forward(self, *tensors: Tensor) -> None:
        """Look at the tensors that the contrast is made of.

        Args:
            *tensors (Tensor): Features, embeddings, scores.

        Raises:
            RuntimeError: If a value of them, on the host, or of the last
                call, on a device, is not finite.
        """
        self.check()
        finite = torch.stack([x.detach().isfinite().all() for x in tensors])
        iteration = MessageHub.get_current_instance().get_info('iter')
        self._pending = finite.all(), iteration
        if finite.is_cpu:
            self.check()

    def check(self) -> None:
        """Raise the error that is due, if any.

        Raises:
            RuntimeError: If a value of the last call was not finite.
        """
        pending, self._pending = self._pending, None
        if pending is None or bool(pending[0]):
            return
        step = '' if pending[1] is None else f' in iteration {pending[1] + 1}'
        raise RuntimeError(
            f'{self.head}: features, embeddings or scores are not finite'
            f'{step}. Lower the learning rate or clip gradients, and look at '
            'the data of that step; if it is float16 that cannot hold them, '
            'use bfloat16'
        )

    def _save_to_state_dict(
        self, destination: dict[str, Any], prefix: str, keep_vars: bool
    ) -> None:
        self.check()
        super()._save_to_state_dict(destination, prefix, keep_vars)
