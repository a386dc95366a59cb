"""Checks and iterations of stock configs, in processes that may die."""

import multiprocessing
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from stock_check import check, write
from stock_record import Entry
from stock_step import train_apart

# Sides of the images of an iteration, the next if one is too small; those of
# a classifier are cut as its config says. Minutes that it may take.
SIZES = {'mmpretrain': (256,), 'mmseg': (128, 512)}
MINUTES = 10


def check_all(
    method: str, names: list[str], jobs: int
) -> Iterator[tuple[str, Entry]]:
    """Check configs in several processes, of which any may die."""
    left = list(names)
    while left:
        try:
            with _pool(jobs) as pool:
                tasks = {pool.submit(check, method, x): x for x in left}
                for task in as_completed(tasks):
                    entry = task.result()
                    left.remove(tasks[task])
                    yield tasks[task], entry
        except BrokenProcessPool:
            # Which one it was is only known of one at a time.
            name = left.pop(0)
            try:
                with _pool(1) as pool:
                    yield name, pool.submit(check, method, name).result()
            except BrokenProcessPool:
                told = 'its process died'
                yield name, dict(status='failed', reason=told)


def _pool(jobs: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(jobs, multiprocessing.get_context('spawn'))


def step(method: str, config: str) -> Entry:
    """Train for one iteration, on small images or on those of the config."""
    entry: Entry = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = write(method, config, folder)[0]
        for size in SIZES[config.partition('::')[0]]:
            entry = train_apart(path, folder, size, MINUTES)
            if entry['status'] == 'trained':
                return dict(entry, size=size)
    return entry
