"""What a head does about values that are not finite."""

from typing import Any, NamedTuple, Optional

import torch
from mmengine.logging import MessageHub
from torch import Tensor, nn

from mmpaco.losses.contrast_range import longest_rows

from .host_copy import HostCopy


class _Pending(NamedTuple):
    """What a call has seen, on its way to the host.

    Values are the extremes of the loss, the length of the longest embedding,
    and the extremes of other tensors.
    """

    values: HostCopy
    iteration: Optional[int]
    temperature: float


class NonFiniteGuard(nn.Module):
    """Raise an error where a loss, or what it is made of, is not finite.

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
        self._pending: Optional[_Pending] = None

    def forward(
        self,
        loss: Tensor,
        embeddings: Tensor,
        temperature: float,
        *others: Tensor,
    ) -> None:
        """Look at a loss, and at what it is made of.

        Args:
            loss (Tensor): The loss, of any shape.
            embeddings (Tensor): Embeddings, rows of shape (..., D).
            temperature (float): That of the loss.
            *others (Tensor): Features, scores.

        Raises:
            RuntimeError: If a value of them, on the host, or of the last
                call, on a device, is not finite.
        """
        self.check()
        if loss.is_meta or not embeddings.numel():
            return
        # One pass and one launch for each; nan is the extreme of any tensor.
        lengths = torch.linalg.vector_norm(embeddings.detach(), dim=-1)
        extremes = [
            value
            for x in (loss, lengths, *others)
            for value in _extremes(x.detach())
        ]
        iteration = MessageHub.get_current_instance().get_info('iter')
        values = HostCopy(torch.stack(extremes))
        self._pending = _Pending(values, iteration, temperature)
        if loss.is_cpu:
            self.check()
        elif loss.requires_grad:
            hooked: Any = loss
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
        if pending is None:
            return
        values = pending.values.read()
        finite = values.isfinite()
        if bool(finite.all()):
            return
        number = pending.iteration
        step = '' if number is None else f' in iteration {number + 1}'
        if not bool(finite[2:].all()):
            raise RuntimeError(
                f'{self.head}: features, embeddings or scores are not finite'
                f'{step}. Lower the learning rate or clip gradients, and look '
                'at the data of that step; if it is float16 that cannot hold '
                'them, use bfloat16'
            )
        told = f'{self.head}: the loss is not finite{step}, though '
        longest, most = float(values[3]), longest_rows(pending.temperature)
        if longest > most:
            raise RuntimeError(
                f'{told}features, embeddings and scores are: embeddings are '
                f'up to {longest:.3g} long, and on a device exponentials are '
                'taken of rows of length one (at temperature '
                f'{pending.temperature:g} up to {most:.3g} is safe). End the '
                'projector with torch.nn.functional.normalize(rows, dim=1)'
            )
        raise RuntimeError(
            f'{told}features, embeddings and scores are, and embeddings are '
            f'no longer than {longest:.3g}; look at the loss itself, and at '
            'the rows of the queue and of other ranks'
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


def _extremes(tensor: Tensor) -> tuple[Tensor, Tensor]:
    if tensor.device.type == 'cpu' and tensor.dtype == torch.float16:
        # torch 2.1 has none of these on the host.
        tensor = tensor.float()
    lowest, highest = tensor.aminmax()
    return lowest, highest
