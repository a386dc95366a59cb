"""What a comparison would train, where, and for how long."""

import math
import re
import statistics
import time
from collections.abc import Sequence
from typing import Any, NamedTuple, Optional

from mmpaco.files import write_text
from mmpaco.methods.settings import fitted

from .compare import Comparison
from .run_process import RunProcess
from .runs import Run
from .schedule import device_slots, visible_devices
from .selection import Trials

__all__ = ['Estimate', 'estimate', 'tell', 'untrainable']

_POLL_SECONDS = 0.2
# The first one also waits for caches and kernels.
_ITERATIONS = 3
# What the config of a second stage says of the checkpoint of the first.
_FIRST = re.compile(r'\{\{\$STAGE1:[^}]*\}\}([^\'"]+)')


class Estimate(NamedTuple):
    """What a training would take.

    Args:
        run (Run): The training.
        iterations (int): How many it has.
        seconds (float): Of one, None if it failed.
        start (float): Seconds until the first, of the process.
        memory (float): Peak memory in MB of its first iterations, None if
            it is not known.
        failure (str): What went wrong, None if nothing did.
    """

    run: Run
    iterations: int = 0
    seconds: Optional[float] = None
    start: float = 0.0
    memory: Optional[float] = None
    failure: Optional[str] = None

    @property
    def starts(self) -> int:
        """Processes: that of the training, and that of the test."""
        return 1 + self.run.has_test

    @property
    def whole(self) -> float:
        """Seconds of the whole run, but for validation and test."""
        return self.iterations * (self.seconds or 0.0) + (
            self.starts * self.start
        )


def estimate(comparison: Comparison) -> list[Estimate]:
    """Train the first iterations of each method with the stock tools.

    A second stage begins with what its first has after these.

    Args:
        comparison (Comparison): A comparison that was planned.

    Returns:
        list[Estimate]: One for each stage of each method, by the first seed.
    """
    found: list[Estimate] = []
    for run in comparison.runs:
        if run.seed != comparison.seeds[0]:
            continue
        trial: Optional[Run] = None
        for stage in run.stages:
            trial = _trial(comparison, stage, trial, is_last=stage is run)
            found.append(_timed(comparison, stage, trial, stage is run))
            if found[-1].failure is not None:
                break
        for stage in trial.stages if trial else ():
            for path in stage.dir.glob('*.pth'):
                path.unlink()
    return found


def untrainable(found: Sequence[Estimate]) -> list[str]:
    """Say what could not be trained.

    Args:
        found (Sequence[Estimate]): From :func:`estimate`.

    Returns:
        list[str]: A line for each training that failed.
    """
    return [f'{x.run.label}: {x.failure}' for x in found if x.failure]


def _trial(
    comparison: Comparison, run: Run, first: Optional[Run], is_last: bool
) -> Run:
    """Write what trains the first iterations of a run."""
    folder = comparison.folder / 'dry-run' / run.dir.parent.name
    config = folder.parent / f'{folder.name}.py'
    settings = fitted(run.cfg.to_dict(), _settings(run, is_last))
    lines = [f'{key} = {value!r}\n' for key, value in settings.items()]
    write_text(config, f'_base_ = {str(run.config)!r}\n' + ''.join(lines))
    trial = Run(run.label, config, run.seed, folder, run.env, first, run.gpus)
    trial.clear()
    wanted = _FIRST.search(run.config.read_text(encoding='utf-8'))
    if first is not None and first.checkpoint is not None and wanted:
        first.checkpoint.replace(first.dir / wanted[1])
    return trial


def _settings(run: Run, is_last: bool) -> dict[str, Any]:
    hooks = run.cfg.get('default_hooks') or {}
    logger = {
        **(hooks.get('logger') or dict(type='LoggerHook')),
        'interval': 1,
    }
    changed = dict(logger=logger)
    if not is_last:
        # The second stage begins with what the first has after as few.
        changed['checkpoint'] = dict(
            _delete_=True,
            type='CheckpointHook',
            by_epoch=False,
            interval=_ITERATIONS,
            save_optimizer=False,
        )
    return dict(default_hooks=changed, log_processor=dict(window_size=1))


def _timed(
    comparison: Comparison, run: Run, trial: Run, is_last: bool
) -> Estimate:
    request = comparison.request
    slots = device_slots(1, run.gpus, visible_devices())
    process = RunProcess(trial, request.tools_dir, request.threads, slots[0])
    began, taken = process.began, 0.0
    try:
        good = None
        while good is None and not process.testing:
            time.sleep(_POLL_SECONDS)
            good = process.poll()
            done = (trial.training.last_scalars() or {}).get('iter', 0)
            if not taken and done:
                taken = time.monotonic() - began
            if done >= _ITERATIONS and (is_last or trial.checkpoint):
                break
    finally:
        process.stop()
    if good is False:
        return Estimate(run, failure=trial.failure)
    times = [x['time'] for x in trial.training.scalars() if 'time' in x]
    if not times:
        return Estimate(run, failure='no iteration was logged')
    return Estimate(
        run,
        trial.training.total,
        statistics.fmean(times[1:_ITERATIONS] or times),
        taken,
        trial.training.memory() or process.memory,
    )


def tell(
    comparison: Comparison,
    found: Sequence[Estimate],
    trials: Optional[Trials] = None,
) -> None:
    """Print what would be trained, for how long, and where it is written.

    Args:
        comparison (Comparison): The comparison.
        found (Sequence[Estimate]): From :func:`estimate`.
        trials (Trials, optional): What would be trained before. Defaults to
            none.
    """
    seeds = len(comparison.seeds)
    for planned in comparison.planned:
        print(f'{planned.label}:')
        for decision in planned.decisions:
            print(f'  - {decision}')
    for name, why in comparison.refused.items():
        print(f'{name} CANNOT BE TRAINED: {why}')
    for one in found:
        print(f'{one.run.label}: {one.run.config}')
        print(f'  written to {one.run.dir.parent}/seed*')
        print(f'  {_cost(one, seeds)}')
    number: dict[str, int] = {}
    if trials is not None:
        number = {name: len(group) for name, group in trials.groups.items()}
        told = ', '.join(f'{x} of {name}' for name, x in number.items())
        print(f'before, trials ({told}), tested on {trials.validation}')
        print(f'  written to {comparison.folder}/select')
    whole = sum(
        one.whole * (seeds + number.get(one.run.label.split(',')[0], 0))
        for one in found
    )
    jobs = min(comparison.request.jobs, len(comparison.runs) or 1)
    print(
        f'all: {_duration(whole / jobs)} of starting and training, {jobs} at '
        'a time; the images of validation and test come to it, and runs that '
        'share cores or a GPU are slower'
    )
    print(f'table, pictures and results.json: {comparison.folder}')


def _cost(one: Estimate, seeds: int) -> str:
    if one.failure is not None:
        return f'FAILED: {one.failure}'
    memory = '' if one.memory is None else f', {one.memory:.0f} MB'
    starts = '2 starts (training, test)' if one.starts > 1 else '1 start'
    return (
        f'{seeds} x ({one.iterations} iterations of {one.seconds:.3g} s + '
        f'{starts} of {one.start:.3g} s) = '
        f'{_duration(seeds * one.whole)}{memory}'
    )


def _duration(seconds: float) -> str:
    hours, rest = divmod(math.ceil(seconds), 3600)
    minutes, rest = divmod(rest, 60)
    return f'{hours}:{minutes:02}:{rest:02} h'
