"""A tensor that is read on the host later, so that nobody waits for it."""

from typing import Any

import torch
from torch import Tensor


class HostCopy:
    """A copy of a tensor that is on its way to the host.

    Reading a tensor of a device waits for all that was launched before the
    read; reading its copy waits for what was launched before the copy.

    Args:
        tensor (Tensor): A tensor on any device.
    """

    def __init__(self, tensor: Tensor) -> None:
        # Into pinned memory, where PyTorch has it.
        self._copy = tensor.detach().to('cpu', non_blocking=True)
        self._event: Any = None
        if tensor.device.type != 'cpu':
            # A module of the device's name: torch.cuda, torch.xpu.
            backend = getattr(torch, tensor.device.type)
            self._event = backend.Event()
            self._event.record(backend.current_stream(tensor.device))

    def __getstate__(self) -> dict[str, Any]:
        # Of a model that is copied or pickled; events cannot be.
        return dict(_copy=self.read(), _event=None)

    def is_there(self) -> bool:
        """Tell whether reading will not wait.

        Returns:
            bool: Whether the copy has arrived.
        """
        return self._event is None or bool(self._event.query())

    def read(self) -> Tensor:
        """Give the copy, and wait for it if need be.

        Returns:
            Tensor: On the host.
        """
        if self._event is not None:
            self._event.synchronize()
        return self._copy
