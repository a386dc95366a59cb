"""One run of a comparison, and all that its files tell about it."""

import hashlib
import json
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from mmpaco.engine.whole_checkpoint import (
    Names,
    newest_whole,
    noted_checkpoint,
)
from mmpaco.files import write_text

from .config_reading import load_config
from .training_log import TrainingLog
from .versions import installed_versions

# The end of a traceback, of one of several processes perhaps.
_ERROR = re.compile(r'(?:^|(?<=: ))(?:\w+\.)*\w*(?:Error|Exception)(?:: .*|$)')
_LAUNCHER = 'closing signal SIGTERM'


def _read_json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


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

    Args:
        label: Name of the method.
        config: Path of its config.
        seed: Value of ``SEED`` in the environment of the tools.
        dir: Directory of this run alone. ``run.json`` and ``metrics.json``
            in it tell that the run is complete.
        env: Environment variables of the tools.
        after: Its first stage, whose directory the tools find in ``STAGE1``.
        gpus: Processes of the training, and as many GPUs where there are
            some, by ``dist_train.sh``; 0 is one process without a launcher.
        config_sha256: Of the config, and of what else decides the outcome.
        training: What mmengine logged of its training.
    """

    label: str
    config: Path
    seed: int
    dir: Path
    env: dict[str, str]
    after: Optional['Run'] = None
    gpus: int = 0

    def __str__(self) -> str:
        return f'{self.label}, seed {self.seed}'

    def __post_init__(self) -> None:
        self.cfg = load_config(self.config, self.env)
        text = json.dumps(self.cfg.to_dict(), sort_keys=True, default=str)
        if self.after is not None:
            text += f'\nafter {self.after.config_sha256}'
        if self.gpus > 1:
            # Each has a batch of its own.
            text += f'\nin {self.gpus} processes'
        self.config_sha256: str = hashlib.sha256(text.encode()).hexdigest()
        self.training = TrainingLog(
            self.dir,
            self.log,
            int((self.cfg.get('train_cfg') or {}).get('max_epochs') or 1),
        )

    @property
    def stages(self) -> list['Run']:
        """The runs that it takes, this one last."""
        return [*(self.after.stages if self.after else []), self]

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
    def failure(self) -> Optional[str]:
        """What went wrong the last time; None if nothing did."""
        return self.record.get('failed')

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

    def clear(self) -> None:
        """Remove what an earlier process of this run has left."""
        if self.record:
            self._empty()

    def _empty(self) -> None:
        """Remove all, last of all what tells whose directory it is."""
        for path in self.dir.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name != 'run.json':
                path.unlink()
        (self.dir / 'run.json').unlink()

    def prepare(self) -> None:
        """Make the directory fit for this config, emptied if it changed.

        Raises:
            RuntimeError: If the directory holds files of something else.
        """
        record = self.record
        record.pop('failed', None)
        if not record and self.dir.exists() and any(self.dir.iterdir()):
            raise RuntimeError(
                f'{self.dir} holds files but no run.json, so it was not made '
                'by a comparison. Move it away or give another work '
                'directory.'
            )
        if record and record.get('config_sha256') != self.config_sha256:
            self._empty()
            record = {}
        self.dir.mkdir(parents=True, exist_ok=True)
        facts = {
            'label': self.label,
            'seed': self.seed,
            'config_sha256': self.config_sha256,
        }
        self._write({**facts, **record})

    def close_failed(self, why: Optional[str] = None) -> None:
        """Note in ``run.json`` that the run failed.

        Args:
            why: What went wrong. Defaults to the error that the output of
                the tools ends with.
        """
        self.note(failed=why or self._last_error())

    def _last_error(self) -> str:
        lines = self.tail(200)
        # The launcher of several processes has its own say after theirs.
        ends = [i for i, x in enumerate(lines) if 'failed (exitcode: ' in x]
        if ends:
            lines = [x for x in lines[: ends[-1]] if _LAUNCHER not in x]
        found = (_ERROR.search(line) for line in reversed(lines))
        last = lines[-1].strip() if lines else 'it printed nothing'
        return next((x[0] for x in found if x), last)

    def tail(self, count: int) -> list[str]:
        """Give the last lines of the output of the tools.

        Args:
            count: How many, at most. Empty lines do not count.
        """
        text = self.log.read_text(errors='replace')
        return [x for x in text.splitlines() if x.strip()][-count:]

    def close_training(
        self, cpu_share: Optional[float], memory: Optional[float] = None
    ) -> None:
        """Note in ``run.json`` that the training is complete.

        Args:
            cpu_share: Processor seconds per second of the process. Given it,
                ``cpu_seconds`` are noted beside ``seconds``: other runs and
                programs share the machine, and would otherwise decide which
                method looks slow. None where a processor does not do the
                work.
            memory: Peak memory of the process in MB, if it is known. On a
                GPU what mmengine logs of that is noted in its place.
        """
        if self.checkpoint is None:
            raise RuntimeError(
                f'{self}: the training ended but wrote no checkpoint to '
                f'{self.dir}. Keep default_hooks.checkpoint in the config.'
            )
        seconds = self.training.seconds()
        spent = {'seconds': seconds}
        memory = self.training.memory() or memory
        if memory is not None:
            spent['memory'] = memory
        if cpu_share is not None:
            spent['cpu_seconds'] = seconds * cpu_share
        self.note(
            **spent,
            iterations=self.training.total,
            versions=installed_versions(),
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

    def note(self, **facts: Any) -> None:
        """Add facts to ``run.json``."""
        self._write({**self.record, **facts})

    def _write(self, record: Mapping[str, Any]) -> None:
        write_text(self.dir / 'run.json', json.dumps(record, indent=2))
