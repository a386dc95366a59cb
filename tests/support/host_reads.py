"""Operations for which the host waits for a device."""

import contextlib
import traceback
from collections import Counter

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils._python_dispatch import TorchDispatchMode

_READS = {
    torch.ops.aten._local_scalar_dense.default,
    torch.ops.aten.nonzero.default,
    torch.ops.aten.masked_select.default,
    torch.ops.aten.equal.default,
    torch.ops.aten._unique2.default,
    torch.ops.aten.is_nonzero.default,
}


class HostReads(TorchDispatchMode):
    """Notes, for each operation that would wait, who asked for it.

    Attributes:
        by (list[str]): The last line of code outside of PyTorch, as
        ``package.module:function``.
    """

    def __init__(self):
        super().__init__()
        self.by = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        reads = function in _READS or (
            function == torch.ops.aten.index.Tensor
            and any(
                x is not None and x.dtype in (torch.bool, torch.uint8)
                for x in args[1]
            )
        )
        if reads:
            for frame in reversed(traceback.extract_stack()):
                if '/torch/' not in frame.filename and (
                    frame.filename != __file__
                ):
                    name = frame.filename.rsplit('.py', 1)[0].split('/')
                    self.by.append(f'{".".join(name[-2:])}:{frame.name}')
                    break
        return function(*args, **(kwargs or {}))


class _EnoughError(Exception):
    """Ends a training that has shown what it was to show."""


class _WatchHook(Hook):
    """Notes the reads of whole training iterations but the first.

    What waits is looked for in the preprocessor, the model, the backward, the
    optimizer and all hooks.
    """

    priority = 'LOWEST'

    def __init__(self, iterations):
        self.reads = HostReads()
        self.iterations = iterations

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter:
            self.reads.__enter__()

    def after_train_iter(self, runner, batch_idx, data_batch, outputs):
        if runner.iter:
            self.reads.__exit__(None, None, None)
        if runner.iter == self.iterations:
            raise _EnoughError


def reads_of_a_run(cfg, iterations=3):
    """Train, and give who has read what, how often in an iteration."""
    runner = Runner.from_cfg(cfg)
    watch = _WatchHook(iterations)
    runner.register_hook(watch)
    with contextlib.suppress(_EnoughError):
        runner.train()
    counts = Counter(watch.reads.by)
    return {name: n / iterations for name, n in counts.items()}
