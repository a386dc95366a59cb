"""The parts of a training step, timed inside of mmengine's own runner."""

import contextlib
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, Callable, NamedTuple, Optional

import torch
from measure import is_cuda
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

REST, OUTSIDE = 'the rest', 'outside'


class Step(NamedTuple):
    """Seconds of a step by its parts; of a device None without one."""

    host: dict[str, float]
    card: Optional[dict[str, float]]


class PartClock:
    """Charges time to the part that runs, and not to those around it.

    Without a device it is that in which a processor works, of all threads
    together. With one it is that of the host by a clock, and of the device by
    events, which wait for a host that is slower at launching.
    """

    def __init__(self, device: str) -> None:
        self.is_cuda = is_cuda(device)
        self.now = REST
        self.marks: list[tuple[str, float, Any]] = []

    def __call__(
        self, name: str, run: Callable[..., Any]
    ) -> Callable[..., Any]:
        """Give a function whose time is that of a part."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.part(name):
                return run(*args, **kwargs)

        return timed

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        before = self.now
        self._enter(name)
        try:
            yield
        finally:
            self._enter(before)

    def around(self, module: torch.nn.Module, name: str) -> None:
        """Let the calls of a module be a part; what it is stays as it is."""
        before: list[str] = []

        def begin(*_: Any) -> None:
            before.append(self.now)
            self._enter(name)

        module.register_forward_pre_hook(begin)
        module.register_forward_hook(lambda *_: self._enter(before.pop()))

    def start(self) -> None:
        self.marks = []
        self._enter(REST)

    def stop(self) -> Step:
        """Give the seconds since the start."""
        self._enter(REST)
        host: Counter = Counter()
        card: Counter = Counter()
        if self.is_cuda:
            torch.cuda.synchronize()
        for (name, begin, first), (_, end, last) in zip(
            self.marks, self.marks[1:]
        ):
            if name == OUTSIDE:
                continue
            host[name] += end - begin
            if self.is_cuda:
                card[name] += first.elapsed_time(last) / 1000
        return Step(dict(host), dict(card) or None)

    def _enter(self, name: str) -> None:
        self.now = name
        event = None
        if self.is_cuda:
            event = torch.cuda.Event(enable_timing=True)
            event.record()
        clock = time.perf_counter if self.is_cuda else time.process_time
        self.marks.append((name, clock(), event))


def attach(clock: PartClock, runner: Runner) -> None:
    """Time the parts of the steps that a runner is about to take."""
    model = (
        runner.model.module
        if is_model_wrapper(runner.model)
        else (runner.model)
    )
    for name, module in model.named_children():
        clock.around(module, name.replace('_', ' '))
    # Which is no call of the head.
    model.head.loss = clock('head', model.head.loss)
    wrapper = runner.optim_wrapper
    wrapper.backward = clock('backward', wrapper.backward)
    for name in ('step', 'zero_grad'):
        setattr(wrapper, name, clock('optimizer', getattr(wrapper, name)))
    for hook in runner.hooks:
        for name in ('before_train_iter', 'after_train_iter'):
            part = type(hook).__name__
            setattr(hook, name, clock(part, getattr(hook, name)))
    loader = runner.train_loop.dataloader
    if loader.num_workers:
        return
    dataset = loader.dataset
    while hasattr(dataset, 'dataset'):
        dataset = dataset.dataset
    dataset.pipeline = clock('transforms', dataset.pipeline)


def medians(steps: list[dict[str, float]]) -> dict[str, float]:
    """Give the median of each part, and of the whole, over steps."""
    names = dict.fromkeys(name for step in steps for name in step)
    found = {
        name: statistics.median(step.get(name, 0.0) for step in steps)
        for name in names
    }
    found['step'] = statistics.median(sum(x.values()) for x in steps)
    return found
