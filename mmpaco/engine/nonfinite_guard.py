"""What a head does about values that are not finite."""

from typing import Any, Optional

import torch
from mmengine.logging import MessageHub
from torch import Tensor, nn

from .host_copy import HostCopy


class NonFiniteGuard(nn.Module):
    """Raise an error where what the contrast is made of is not finite.

    It names the head and the iteration. On the host it comes before the
    backward. A device would be waited for, so there it comes when the
    backward has been launched, still before the optimizer takes a step, and
    waits for no more than the forward.

    Other ranks do not see it, but get gradients that are not finite. So no
    state is given, hence no checkpoint written, of a model in training whose
    projector is not finite.

    Args:
        head (str): Name of the head in the message.
        projector (nn.Module): What every gradient of the contrast trains.
    """

    def __init__(self, head: str, projector: nn.Module) -> None:
        super().__init__()
        self.head = head
        # Not as a module of its own: it is the head's.
        self._projector = (projector,)
        # Whether all was finite, and in which iteration.
        self._pending: Optional[tuple[HostCopy, Optional[int]]] = None

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
        if finite.is_meta:
            return
        iteration = MessageHub.get_current_instance().get_info('iter')
        self._pending = HostCopy(finite.all()), iteration
        if finite.is_cpu:
            self.check()
            return
        for tensor in tensors:
            if tensor.requires_grad:
                hooked: Any = tensor
                hooked.register_hook(self._check_after_backward)

    def _check_after_backward(self, grad: Tensor) -> None:
        engine = torch.autograd.Variable._execution_engine
        engine.queue_callback(self.check)

    def check(self) -> None:
        """Raise the error that is due, if any.

        Raises:
            RuntimeError: If a value of the last call was not finite.
        """
        pending, self._pending = self._pending, None
        if pending is None or bool(pending[0].read()):
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
        if self.training and not all(
            p.is_meta or bool(p.isfinite().all())
            for p in self._projector[0].parameters()
        ):
            raise RuntimeError(
                f'{self.head}: weights of the projector are not finite, so '
                'the state of the model is not given. Another rank has met '
                'a value that is not finite, or the optimizer: lower the '
                'learning rate or clip gradients, and resume from the last '
                'checkpoint'
            )
        super()._save_to_state_dict(destination, prefix, keep_vars)
