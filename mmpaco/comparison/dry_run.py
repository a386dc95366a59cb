"""What a comparison would train, where, and for how long."""

import math
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional

from mmpaco.files import write_text

from .compare import Comparison
from .run_process import RunProcess
from .runs import Run
from .schedule import device_slots, visible_devices
from .settings import divide, grid

__all__ = ['Estimate', 'estimate', 'like_first', 'tell', 'untrainable']

_POLL_SECONDS = 0.2
# The first one also waits for caches and kernels.
_ITERATIONS = 3
_TEXT = """\
_base_ = {base!r}
default_hooks = dict(logger=dict(interval=1))
log_processor = dict(window_size=1)
"""


class Estimate(NamedTuple):
    """What a training would take.

    Args:
        run (Run): The training.
        iterations (int): How many it has.
        seconds (float): Of one, None if it failed.
        memory (float): Peak memory in MB of its first iterations, None if
            it is not known.
        failure (str): What went wrong, None if nothing did.
        is_guess (bool): Whether it was not trained, but is taken from the
            first stage.
    """

    run: Run
    iterations: int = 0
    seconds: Optional[float] = None
    memory: Optional[float] = None
    failure: Optional[str] = None
    is_guess: bool = False

    @property
    def whole(self) -> float:
        """Seconds of the whole training."""
        return self.iterations * (self.seconds or 0.0)


def estimate(comparison: Comparison) -> list[Estimate]:
    """Train the first iterations of each method with the stock tools.

    A second stage cannot begin without its first, so it is taken to cost as
    much an iteration, and to have as many an epoch.

    Args:
        comparison (Comparison): A comparison that was planned.

    Returns:
        list[Estimate]: One for each stage of each method, by the first seed.
    """
    first = [run for run in comparison.runs if run.seed == comparison.seeds[0]]
    found: list[Estimate] = []
    for run in first:
        for i, stage in enumerate(run.stages):
            found.append(
                _timed(comparison, stage)
                if i == 0
                else like_first(found[-1], stage)
            )
    return found


def like_first(first: Estimate, run: Run) -> Estimate:
    """Guess what a second stage takes from what its first does.

    Args:
        first (Estimate): That of the first.
        run (Run): The second.

    Returns:
        Estimate: As much an iteration, and as many iterations an epoch.
    """
    before, now = (x.cfg.get('train_cfg') or {} for x in (first.run, run))
    shorter = 1.0
    for key in ('max_epochs', 'max_iters'):
        if before.get(key) and now.get(key):
            shorter = now[key] / before[key]
    return first._replace(
        run=run, iterations=round(first.iterations * shorter), is_guess=True
    )


def untrainable(found: Sequence[Estimate]) -> list[str]:
    """Say what could not be trained.

    Args:
        found (Sequence[Estimate]): From :func:`estimate`.

    Returns:
        list[str]: A line for each training that failed.
    """
    return [f'{x.run.label}: {x.failure}' for x in found if x.failure]


def _timed(comparison: Comparison, run: Run) -> Estimate:
    folder = comparison.folder / 'dry-run' / run.dir.parent.name
    config = folder.parent / f'{folder.name}.py'
    write_text(config, _TEXT.format(base=str(run.config)))
    trial = Run(run.label, config, run.seed, folder, run.env, gpus=run.gpus)
    request = comparison.request
    slots = device_slots(1, run.gpus, visible_devices())
    trial.clear()
    process = RunProcess(trial, request.tools_dir, request.threads, slots[0])
    try:
        good = None
        while good is None and not process.testing:
            time.sleep(_POLL_SECONDS)
            good = process.poll()
            last = trial.training.last_scalars()
            if last and last['iter'] >= _ITERATIONS:
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
        trial.training.memory() or process.memory,
    )


def tell(
    comparison: Comparison,
    found: Sequence[Estimate],
    choices: Mapping[str, Any],
) -> None:
    """Print what would be trained, for how long, and where it is written.

    Args:
        comparison (Comparison): The comparison.
        found (Sequence[Estimate]): From :func:`estimate`.
        choices (Mapping): As of :func:`.selection.select`.
    """
    methods = comparison.request.methods
    trials = {
        name: len(list(grid(wanted))) if wanted else 0
        for name, wanted in divide(choices, methods, comparison.common).items()
    }
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
    for name, count in trials.items():
        if count:
            print(f'{name}: {count} trials on a validation set before')
    whole = sum(
        one.whole * (seeds + trials.get(one.run.label.split(',')[0], 0))
        for one in found
    )
    jobs = min(comparison.request.jobs, len(comparison.runs) or 1)
    print(
        f'all: {_duration(whole / jobs)} of training, {jobs} at a time; '
        'validation and tests come to it, and runs that share cores or a GPU '
        'are slower'
    )
    print(f'table, pictures and results.json: {comparison.folder}')


def _cost(one: Estimate, seeds: int) -> str:
    if one.failure is not None:
        return f'FAILED: {one.failure}'
    memory = '' if one.memory is None else f', {one.memory:.0f} MB'
    if one.is_guess:
        memory += ', as of the first stage, without which it cannot begin'
    return (
        f'{seeds} x {one.iterations} iterations of {one.seconds:.3g} s = '
        f'{_duration(seeds * one.whole)}{memory}'
    )


def _duration(seconds: float) -> str:
    hours, rest = divmod(math.ceil(seconds), 3600)
    minutes, rest = divmod(rest, 60)
    return f'{hours}:{minutes:02}:{rest:02} h'
