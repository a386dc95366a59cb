"""What mmengine's log tells of a training."""

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

from mmpaco.files import PathLike

# 'Epoch(train)  [3][ 10/120]' or 'Iter(train) [ 10/4000]': the only place
# that names the epoch's length.
_LOG_LINE = re.compile(
    r'(Epoch|Iter)\(train\)\s+(?:\[\s*\d+\])?\[\s*\d+/(\d+)\]'
)


class TrainingLog:
    """The log of a training, which may be going on.

    Args:
        work_dir: Its work directory.
        output: File of what the train tool printed.
        max_epochs: Epochs of the training; 1 if it counts iterations.
    """

    def __init__(
        self, work_dir: PathLike, output: PathLike, max_epochs: int = 1
    ) -> None:
        self.work_dir = Path(work_dir)
        self.output = Path(output)
        self.max_epochs = max_epochs
        self._total = 0

    @property
    def total(self) -> int:
        """Iterations of the whole training; 0 while still unknown."""
        if not self._total and self.output.exists():
            line = _LOG_LINE.search(self.output.read_text(errors='replace'))
            if line:
                epochs = self.max_epochs if line[1] == 'Epoch' else 1
                self._total = int(line[2]) * epochs
        return self._total

    def _files(self) -> list[Path]:
        return sorted(self.work_dir.glob('*/vis_data/scalars.json'))

    def scalars(self) -> Iterator[dict[str, Any]]:
        """Yield what mmengine logged, as ``scalars.json`` has it.

        Of a training that was interrupted and resumed, the iterations done
        twice appear once, as they were done the second time.
        """
        history: list[dict[str, Any]] = []
        for path in self._files():
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
        files = self._files()
        lines = _read_lines(files[-1]) if files else []
        return next((x for x in reversed(lines) if 'iter' in x), None)

    def seconds(self) -> float:
        """Seconds spent in training iterations.

        The sum of mmengine's ``time`` per iteration: data loading, forward,
        backward and optimizer step. Imports, dataset building, validation
        and checkpoints between epochs are left out, for they cost every
        method the same and would draw the ratio of two short trainings
        towards one; iterations lost by an interruption are left out too.
        mmengine logs a mean over the last iterations, so the sum weighs
        each record with the iterations since the record before.

        Raises:
            RuntimeError: If no iteration was logged.
        """
        spent, last = 0.0, 0
        for scalars in self.scalars():
            if 'iter' in scalars and 'time' in scalars:
                spent += scalars['time'] * (scalars['iter'] - last)
                last = scalars['iter']
        if not last:
            raise RuntimeError(
                f'no training iteration was logged below {self.work_dir}, '
                'expected "iter" and "time" in */vis_data/scalars.json. Keep '
                'the logger and timer hooks of mmengine, and set '
                'default_hooks.logger.interval below the length of an epoch.'
            )
        return spent * max(self.total, last) / last

    def memory(self) -> Optional[float]:
        """Peak memory on a GPU in MB, as mmengine logs it; None without."""
        logged = [x['memory'] for x in self.scalars() if 'memory' in x]
        return float(max(logged)) if logged else None


def _read_lines(path: Path) -> list[dict[str, Any]]:
    lines = []
    for line in path.read_text(errors='replace').splitlines():
        # One may be cut, by a kill or because it is being written.
        with contextlib.suppress(ValueError):
            lines.append(json.loads(line))
    return lines
