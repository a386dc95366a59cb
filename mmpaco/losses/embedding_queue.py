"""The queue of embeddings that anchors are contrasted with."""

from numbers import Integral
from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor

from .data_state import DataState


class EmbeddingQueue(DataState):
    """A ring of the last embeddings and their classes, kept in buffers.

    In a loop of your own call :meth:`append` after each step. Nothing in a
    forward pass changes it: in a run of mmengine a head stages its keys, and
    ``mmpaco.PaCoQueueHook`` appends them when the iteration has ended. Only
    rows that were appended are ever shown. A queue of another shape in a
    state dict counts as missing.

    Args:
        length (int): Rows that the queue holds.
        channels (int): Embedding size D.

    Raises:
        ValueError: If one of them is not positive.

    Example:
        >>> import torch
        >>> from mmpaco.losses import EmbeddingQueue
        >>> queue = EmbeddingQueue(length=6, channels=8)
        >>> queue.append(torch.randn(4, 8), torch.tensor([0, 1, 1, 2]))
        >>> rows, labels = queue.contents()
        >>> rows.shape, labels.tolist()
        (torch.Size([4, 8]), [0, 1, 1, 2])
    """

    rows: Tensor
    labels: Tensor
    pointer: Tensor
    filled: Tensor

    def __init__(self, length: int, channels: int) -> None:
        super().__init__()
        sizes = (length, channels)
        if any(not isinstance(x, Integral) or x < 1 for x in sizes):
            raise ValueError(
                'a queue needs a positive length and embedding '
                f'size, both integers, but got {length} and {channels}'
            )
        self.length = length
        self.register_buffer('rows', torch.zeros(length, channels))
        self.register_buffer(
            'labels', torch.full((length,), -1, dtype=torch.int64)
        )
        self.register_buffer('pointer', torch.zeros((), dtype=torch.int64))
        self.register_buffer('filled', torch.zeros((), dtype=torch.int64))
        # The same two numbers on the host, so that reading the queue does
        # not wait for a device. None: to be read from the buffers.
        self._position: Optional[tuple[int, int]] = (0, 0)
        self._staged: Optional[tuple[Tensor, Tensor]] = None

    def _host_position(self) -> tuple[int, int]:
        if self._position is None:
            self._position = int(self.pointer), int(self.filled)
        return self._position

    def contents(self) -> tuple[Tensor, Tensor]:
        """Give the filled part, in the order of the ring.

        Returns:
            tuple[Tensor, Tensor]: Unit rows of shape (filled, D) and their
            classes of shape (filled, ).
        """
        filled = self._host_position()[1]
        return self.rows[:filled], self.labels[:filled]

    def stage(self, rows: Tensor, labels: Tensor) -> None:
        """Keep keys aside until the iteration has ended.

        Args:
            rows (Tensor): Embeddings of shape (N, D).
            labels (Tensor): Their classes, of shape (N, ).

        Raises:
            RuntimeError: If nobody has taken the keys of the last call.
        """
        if self._staged is not None:
            raise RuntimeError(
                'the keys of the last iteration were not put in the queue; '
                "add dict(type='mmpaco.PaCoQueueHook') to custom_hooks, or "
                'set queue_length=0; in a loop of your own call append '
                'instead of stage'
            )
        self._staged = rows.detach(), labels

    def take_staged(self) -> tuple[Tensor, Tensor]:
        """Give the staged keys and forget them.

        Returns:
            tuple[Tensor, Tensor]: Embeddings (N, D) and classes (N, ), with
            no rows where nothing was staged.
        """
        staged, self._staged = self._staged, None
        return (self.rows[:0], self.labels[:0]) if staged is None else staged

    @torch.no_grad()
    def append(self, rows: Tensor, labels: Tensor) -> None:
        """Overwrite the oldest rows. Of too many rows, the last are kept.

        Args:
            rows (Tensor): Embeddings of shape (N, D), normalised here.
            labels (Tensor): Their classes, of shape (N, ).

        Raises:
            ValueError: If a shape does not fit the queue.
        """
        if rows.dim() != 2 or rows.shape[1] != self.rows.shape[1]:
            raise ValueError(
                f'expected embeddings of shape (N, '
                f'{self.rows.shape[1]}) as the queue has, but '
                f'got {tuple(rows.shape)}'
            )
        if labels.shape != rows.shape[:1]:
            raise ValueError(
                f'expected {len(rows)} labels for as many '
                f'embeddings, but got {tuple(labels.shape)}'
            )
        pointer, filled = self._host_position()
        rows, labels = rows[-self.length :], labels[-self.length :]
        index = (
            torch.arange(pointer, pointer + len(rows), device=self.rows.device)
            % self.length
        )
        rows = F.normalize(rows.to(self.rows.dtype), dim=1)
        self.rows.index_copy_(0, index, rows)
        self.labels.index_copy_(0, index, labels.to(self.labels.dtype))
        pointer = (pointer + len(rows)) % self.length
        filled = min(filled + len(rows), self.length)
        self._position = pointer, filled
        self.pointer.fill_(pointer)
        self.filled.fill_(filled)

    @torch.no_grad()
    def clear(self) -> None:
        """Empty the queue, and forget what is staged."""
        self.rows.zero_()
        self.labels.fill_(-1)
        self.pointer.zero_()
        self.filled.zero_()
        self._position = (0, 0)
        self._staged = None

    def extra_repr(self) -> str:
        """Show the arguments when the module is printed."""
        return f'length={self.length}, channels={self.rows.shape[1]}'

    def forget_loaded(self) -> None:
        """Empty the queue."""
        self.clear()

    def _was_loaded(self) -> None:
        self._position = None
