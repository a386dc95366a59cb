"""Runners of configs that take their steps by turns in one process."""

import random
import uuid
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Callable, Optional

import cv2
import numpy as np
import torch
from measure import Work, device_work
from mmengine.config import Config
from mmengine.runner import EpochBasedTrainLoop, Runner
from part_clock import OUTSIDE, PartClock, Step, attach

NEEDS = (
    'model.backbone',
    'model.head',
    'optim_wrapper',
    'train_dataloader',
    'train_cfg',
)
# What a dataset of noise has at least.
IMAGES = 1000


def on_noise(cfg: Config, size: Sequence[int], folder: str) -> None:
    """Put noise into the place of the images of a config."""
    num_classes = cfg.model.head.get('num_classes')
    if num_classes is None:
        raise ValueError('with --noise the head must say its num_classes')
    dataset = cfg.train_dataloader.dataset
    while 'dataset' in dataset:
        dataset = dataset.dataset
    pipeline = list(dataset.pipeline)
    if not any(x['type'].endswith('LoadImageFromFile') for x in pipeline):
        pipeline.insert(0, dict(type='LoadImageFromFile'))
    root = Path(folder) / 'noise'
    root.mkdir(exist_ok=True)
    count = max(num_classes, 4 * cfg.train_dataloader.batch_size, IMAGES)
    for i in range(len(list(root.glob('*.png'))), count):
        image = np.random.default_rng(i).integers(0, 256, (*size, 3), np.uint8)
        cv2.imwrite(str(root / f'{i}.png'), image)
    lines = [f'{i}.png {i % num_classes}\n' for i in range(count)]
    (root / 'train.txt').write_text(''.join(lines))
    cfg.train_dataloader.dataset = dict(
        type='mmpaco.ImageListDataset',
        data_root=str(root),
        ann_file='train.txt',
        num_classes=num_classes,
        pipeline=pipeline,
    )


class Variant:
    """A config in training, a step at a time.

    Numbers are drawn as if it trained alone: those of the process are its own
    while it has its turn.
    """

    def __init__(self, cfg: Config, work_dir: str) -> None:
        for split in ('val', 'test'):
            for part in ('cfg', 'dataloader', 'evaluator'):
                cfg[f'{split}_{part}'] = None
        cfg.default_hooks = dict(
            cfg.get('default_hooks') or {}, checkpoint=None
        )
        cfg.randomness = {'seed': 0, **(cfg.get('randomness') or {})}
        cfg.load_from, cfg.resume = None, False
        cfg.work_dir = work_dir
        # Runners of one process and one second would share a logger.
        cfg.experiment_name = uuid.uuid4().hex
        # Else hundreds of lines of the config stand before a result.
        cfg.log_level = 'WARNING'
        self.cfg = cfg
        self.steps: list[Step] = []
        self.batches: list[int] = []
        self.work: Optional[Work] = None
        self._losses: list[torch.Tensor] = []

    @property
    def losses(self) -> list[float]:
        return [float(x) for x in self._losses]

    def train(self, go_on: Callable[[], Any]) -> None:
        """Begin a training, call what takes its steps, and end it."""
        runner = Runner.from_cfg(self.cfg)

        def run() -> torch.nn.Module:
            runner.call_hook('before_train')
            self._begin(runner)
            go_on()
            runner.call_hook('after_train')
            return runner.model

        runner.train_loop.run = run
        runner.train()

    def turn(self) -> None:
        """Take a step."""
        _set_random_state(self._state)
        self.steps.append(next(self._running))
        self._state = _random_state()

    def _begin(self, runner: Runner) -> None:
        device = next(runner.model.parameters()).device
        self.device = str(device)
        self.device_name = (
            torch.cuda.get_device_name(device)
            if device.type == 'cuda'
            else self.device
        )
        self._clock = PartClock(self.device)
        attach(self._clock, runner)
        take_step = runner.model.train_step

        def train_step(data: Any, **options: Any) -> Any:
            found = take_step(data, **options)
            self._losses.append(found['loss'].detach())
            return found

        runner.model.train_step = train_step
        self._running = self._steps(runner)
        self._state = _random_state()

    def _steps(self, runner: Runner) -> Iterator[Step]:
        loop, clock = runner.train_loop, self._clock
        if not len(loop.dataloader):
            raise ValueError(
                'there are fewer training images than one batch has; set a '
                'smaller train_dataloader.batch_size'
            )
        by_epoch = isinstance(loop, EpochBasedTrainLoop)
        while True:
            runner.call_hook('before_train_epoch')
            runner.model.train()
            batches = (
                iter(loop.dataloader)
                if by_epoch
                else (loop.dataloader_iterator)
            )
            for i in range(len(loop.dataloader)):
                clock.start()
                with clock.part('loader'):
                    batch = next(batches)
                with clock.part(OUTSIDE):
                    self.batches.append(_checksum(batch['inputs']))
                loop.run_iter(*((i, batch) if by_epoch else (batch,)))
                yield clock.stop()
            runner.call_hook('after_train_epoch')
            if by_epoch:
                loop._epoch += 1


def take_turns(variants: Sequence[Variant], warm_ups: int, iters: int) -> None:
    """Let all take their steps, of which the last ``iters`` are kept."""

    def turns() -> None:
        for _ in range(warm_ups + iters):
            for one in variants:
                one.turn()
        for one in variants:
            one.work = device_work(one.turn, one.device)
            one.steps = one.steps[warm_ups : warm_ups + iters]

    # Each is inside of the training of the one before.
    go_on: Callable[[], Any] = turns
    for one in reversed(variants):
        go_on = _in(one, go_on)
    go_on()


def _in(one: Variant, go_on: Callable[[], Any]) -> Callable[[], None]:
    return lambda: one.train(go_on)


def _checksum(inputs: Any) -> int:
    if isinstance(inputs, torch.Tensor):
        return zlib.crc32(inputs.numpy().tobytes())
    return hash(tuple(map(_checksum, inputs)))


def _random_state() -> tuple:
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return (
        random.getstate(),
        np.random.get_state(),
        torch.get_rng_state(),
        cuda,
    )


def _set_random_state(state: tuple) -> None:
    python, numpy, cpu, cuda = state
    random.setstate(python)
    np.random.set_state(numpy)
    torch.set_rng_state(cpu)
    if cuda:
        torch.cuda.set_rng_state_all(cuda)
