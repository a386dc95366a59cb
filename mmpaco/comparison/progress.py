"""What a comparison shows while it runs."""

from pathlib import Path
from typing import TYPE_CHECKING

from .runs import Run

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

_TAIL_LINES = 20


class Display:
    """Bars on a terminal, plain lines elsewhere.

    Args:
        console: Where to show them.
        total: Number of runs.
    """

    def __init__(self, console: 'Console', total: int) -> None:
        from rich.progress import BarColumn, Progress, TextColumn

        self.bars = Progress(
            TextColumn('{task.description}', markup=False),
            BarColumn(bar_width=16),
            TextColumn('{task.fields[state]}', markup=False),
            console=console,
            disable=not console.is_terminal,
        )
        self.console = console
        # By directory: runs may share a label and a seed.
        self.tasks: dict[Path, TaskID] = {}
        self.quarters: dict[Path, int] = {}
        self.total = total
        self.done = 0
        self.all = self.bars.add_task(
            'All runs', total=total, state=f'0/{total}'
        )

    def line(self, text: str) -> None:
        """Print a line that stays."""
        self.console.print(text, markup=False, highlight=False)

    def begin(self, run: Run) -> None:
        """A run has started."""
        name = str(run)
        self.tasks[run.dir] = self.bars.add_task(name, total=None, state='')
        if not self.console.is_terminal:
            self.line(f'{name}: started, log: {run.log}')

    def update(self, run: Run, testing: bool) -> None:
        """A run may have made progress."""
        task = self.tasks[run.dir]
        last = run.training.last_scalars()
        if testing:
            self.bars.update(task, state='testing')
        elif last and (total := run.training.total):
            left = (total - last['iter']) * last.get('time', 0.0)
            state = (
                f'{last["iter"]}/{total}  '
                f'loss {last.get("loss", float("nan")):.3f}'
            )
            self.bars.update(
                task,
                total=total,
                completed=last['iter'],
                state=f'{state}  {left:.0f} s left',
            )
            quarter = 4 * last['iter'] // total
            if quarter > self.quarters.get(run.dir, 0):
                self.quarters[run.dir] = quarter
                if not self.console.is_terminal:
                    self.line(f'{run}: {state}')

    def end(self, run: Run, good: bool) -> None:
        """A run has ended."""
        self.done += 1
        count = f'{self.done}/{self.total}'
        self.bars.remove_task(self.tasks[run.dir])
        self.bars.update(self.all, advance=1, state=count)
        if good:
            seconds = run.record['seconds']
            self.line(f'[{count}] {run}: trained in {seconds:.0f} s')
        else:
            self.line(
                f'[{count}] {run}: FAILED, end of {run.log}:\n'
                + '\n'.join(run.tail(_TAIL_LINES))
            )
