"""One run of a comparison, and all that its files tell about it."""

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Optional

from mmengine.config import Config
from mmengine.logging import MMLogger

from mmpaco.engine.whole_checkpoint import (
    Names,
    newest_whole,
    noted_checkpoint,
)
from mmpaco.files import PathLike, write_text

_STACK = (
    'torch',
    'numpy',
    'mmengine',
    'onedl-mmengine',
    'mmcv',
    'onedl-mmcv',
    'mmpretrain',
    'onedl-mmpretrain',
    'mmsegmentation',
    'onedl-mmsegmentation',
    'mmpaco',
)
# mmengine's log line, 'Epoch(train)  [3][ 10/120]' or
# 'Iter(train) [ 10/4000]': the only place that names the epoch's length.
_LOG_LINE = re.compile(
    r'(Epoch|Iter)\(train\)\s+(?:\[\s*\d+\])?\[\s*\d+/(\d+)\]'
)


def load_config(path: PathLike, env: Mapping[str, str]) -> Config:
    """Read a config as a process with these environment variables would.

    Args:
        path: Config file.
        env: Values for the ``{{'$NAME:default'}}`` fields of the config.

    Returns:
        The merged config.
    """
    before = dict(os.environ)
    # mmengine reports every variable of every base file.
    logger = MMLogger.get_current_instance()
    level = logger.level
    os.environ.update(env)
    logger.setLevel('WARNING')
    try:
        return Config.fromfile(path, import_custom_modules=False)
    finally:
        logger.setLevel(level)
        os.environ.clear()
        os.environ.update(before)


def _read_json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def _read_lines(path: Path) -> list[dict[str, Any]]:
    lines = []
    for line in path.read_text(errors='replace').splitlines():
        # One may be cut, by a kill or because it is being written.
        with contextlib.suppress(ValueError):
            lines.append(json.loads(line))
    return lines


def clock(records: Iterable[Mapping[str, Any]]) -> str:
    """Choose what tells the cost of runs.

    Args:
        records: :attr:`Run.record` of finished runs.

    Returns:
        ``cpu_seconds`` if all runs have it, else ``seconds``.
    """
    on_cpu = all('cpu_seconds' in record for record in records)
    return 'cpu_seconds' if on_cpu else 'seconds'


@dataclass
class Run:
    """One method trained with one seed.

    Attributes:
        label: Name of the method.
        config: Path of its config.
        seed: Value of ``SEED`` in the environment of the tools.
        dir: Directory of this run alone. ``run.json`` and ``metrics.json``
            in it tell that the run is complete.
        env: Environment variables of the tools.
    """

    label: str
    config: Path
    seed: int
    dir: Path
    env: dict[str, str]

    def __str__(self) -> str:
        return f'{self.label}, seed {self.seed}'

    def __post_init__(self) -> None:
        self.cfg = load_config(self.config, self.env)
        text = json.dumps(self.cfg.to_dict(), sort_keys=True, default=str)
        self.config_sha256 = hashlib.sha256(text.encode()).hexdigest()
        self._total = 0

    @property
    def log(self) -> Path:
        """Output of the tools of this run."""
        return self.dir / 'log.txt'

    @property
    def record(self) -> dict[str, Any]:
        """Content of ``run.json``; empty if the run was never begun."""
        path = self.dir / 'run.json'
        return _read_json(path) if path.exists() else {}

    @property
    def metrics(self) -> dict[str, Any]:
        """Content of ``metrics.json``: what the test tool measured."""
        return _read_json(self.dir / 'metrics.json')

    @property
    def trained(self) -> bool:
        """Whether the training came to its end."""
        return 'seconds' in self.record

    @property
    def finished(self) -> bool:
        """Whether training and test of this very config are complete."""
        return (
            self.record.get('config_sha256') == self.config_sha256
            and self.trained
            and (not self.has_test or (self.dir / 'metrics.json').exists())
        )

    @property
    def has_test(self) -> bool:
        """Whether the config has a test: a first stage may have none."""
        return self.cfg.get('test_cfg') is not None

    @property
    def checkpoint(self) -> Optional[Path]:
        """Whole checkpoint written last, if any."""
        # mmengine notes the path as it was during training; the work
        # directory may have been moved since.
        names = Names(noted_checkpoint(self.dir))
        return newest_whole([self.dir], names)[0]

    @property
    def total(self) -> int:
        """Iterations of the whole training; 0 while still unknown."""
        if not self._total and self.log.exists():
            line = _LOG_LINE.search(self.log.read_text(errors='replace'))
            if line:
                epochs = (
                    self.cfg.train_cfg['max_epochs']
                    if line[1] == 'Epoch'
                    else 1
                )
                self._total = int(line[2]) * int(epochs)
        return self._total

    def scalars(self) -> Iterator[dict[str, Any]]:
        """Yield what mmengine logged, as ``scalars.json`` has it.

        Of a training that was interrupted and resumed, the iterations done
        twice appear once, as they were done the second time.
        """
        history: list[dict[str, Any]] = []
        for path in sorted(self.dir.glob('*/vis_data/scalars.json')):
            lines = _read_lines(path)
            first = next((x['iter'] for x in lines if 'iter' in x), None)
            if first is not None:
                done = [
                    i
                    for i, x in enumerate(history)
                    if x.get('iter', 0) >= first
                ]
                history = history[: done[0]] if done else history
            history += lines
        yield from history

    def last_scalars(self) -> Optional[dict[str, Any]]:
        """What mmengine logged last of the training, if anything yet."""
        paths = sorted(self.dir.glob('*/vis_data/scalars.json'))
        lines = _read_lines(paths[-1]) if paths else []
        return next((x for x in reversed(lines) if 'iter' in x), None)

    def training_seconds(self) -> float:
        """Seconds spent in training iterations.

        The sum of mmengine's ``time`` per iteration: data loading, forward,
        backward and optimizer step. Imports, dataset building, validation
        and checkpoints between epochs are left out, for they cost every
        method the same and would draw the ratio of two short trainings
        towards one; iterations lost by an interruption are left out too.
        mmengine logs a mean over the last iterations, so the sum weighs
        each record with the iterations since the record before.
        """
        spent, last = 0.0, 0
        for scalars in self.scalars():
            if 'iter' in scalars and 'time' in scalars:
                spent += scalars['time'] * (scalars['iter'] - last)
                last = scalars['iter']
        if not last:
            raise RuntimeError(
                f'{self}: no training iteration was logged below {self.dir}, '
                'expected "iter" and "time" in */vis_data/scalars.json. Keep '
                'the logger and timer hooks of mmengine, and set '
                'default_hooks.logger.interval below the length of an epoch.'
            )
        return spent * max(self.total, last) / last

    def prepare(self) -> None:
        """Make the directory fit for this config, emptied if it changed.

        Raises:
            RuntimeError: If the directory holds files of something else.
        """
        record = self.record
        if not record and self.dir.exists() and any(self.dir.iterdir()):
            raise RuntimeError(
                f'{self.dir} holds files but no run.json, so it was not made '
                'by a comparison. Move it away or give another work '
                'directory.'
            )
        if record and record.get('config_sha256') != self.config_sha256:
            shutil.rmtree(self.dir)
            record = {}
        self.dir.mkdir(parents=True, exist_ok=True)
        if not record:
            self._write(
                {
                    'label': self.label,
                    'seed': self.seed,
                    'config_sha256': self.config_sha256,
                }
            )

    def close_training(self, cpu_share: Optional[float]) -> None:
        """Note in ``run.json`` that the training is complete.

        Args:
            cpu_share: Processor seconds per second of the process. Given it,
                ``cpu_seconds`` are noted beside ``seconds``: other runs and
                programs share the machine, and would otherwise decide which
                method looks slow. None where a processor does not do the
                work.
        """
        if self.checkpoint is None:
            raise RuntimeError(
                f'{self}: the training ended but wrote no checkpoint to '
                f'{self.dir}. Keep default_hooks.checkpoint in the config.'
            )
        versions = {}
        for name in _STACK:
            try:
                versions[name] = metadata.version(name)
            except metadata.PackageNotFoundError:
                continue
        seconds = self.training_seconds()
        spent = {'seconds': seconds}
        if cpu_share is not None:
            spent['cpu_seconds'] = seconds * cpu_share
        self._write(
            {
                **self.record,
                **spent,
                'iterations': self.total,
                'versions': versions,
            }
        )

    def close_test(self) -> None:
        """Keep what the test tool measured as ``metrics.json``."""
        # mmengine's LoggerHook leaves every test's metrics, lists included,
        # in TIMESTAMP/TIMESTAMP.json; the --out of the stock test tools
        # means different things in mmpretrain and mmseg.
        found = sorted(
            path
            for path in (self.dir / 'test').glob('*/*.json')
            if path.stem == path.parent.name
        )
        if not found:
            raise RuntimeError(
                f'{self}: the test wrote no metrics below {self.dir}/test. '
                'Set test_evaluator and keep default_hooks.logger.'
            )
        metrics = _read_json(found[-1])
        for key in ('time', 'data_time'):
            metrics.pop(key, None)
        write_text(self.dir / 'metrics.json', json.dumps(metrics, indent=2))

    def _write(self, record: Mapping[str, Any]) -> None:
        write_text(self.dir / 'run.json', json.dumps(record, indent=2))
