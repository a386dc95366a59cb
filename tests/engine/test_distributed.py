"""Gathering over real processes."""

import subprocess
import sys

import pytest
import torch

from mmpaco.engine.distributed import gather_rows

SCRIPT = """
import torch
import torch.distributed as dist
from mmpaco.engine.distributed import gather_rows
from mmpaco.engine import EmbeddingQueue

dist.init_process_group('gloo')
rank = dist.get_rank()
queue = EmbeddingQueue(5, 2)
for step in range(4):
    num_rows = (3 * rank + step) % 4
    rows = torch.full((num_rows, 2), 10. * step + rank + 1)
    labels = torch.arange(num_rows) + 100 * rank + 10 * step
    rows, labels = gather_rows(rows, labels)
    queue.append(rows, labels)
    print(f'{rank}|{step}|{labels.tolist()}|{rows[:, 0].tolist()}',
          flush=True)
print(f'{rank}|queue|{queue.labels.tolist()}|{int(queue.pointer)}',
      flush=True)
"""


@pytest.mark.parametrize('num_ranks', (2, 3))
def test_ragged_rows_arrive_in_rank_order_on_all_ranks(tmp_path, num_ranks):
    """Also where a rank has none, as one process would append them."""
    script = tmp_path / 'gather.py'
    script.write_text(SCRIPT)
    out = subprocess.run(
        [
            sys.executable,
            '-m',
            'torch.distributed.run',
            '--standalone',
            f'--nproc_per_node={num_ranks}',
            str(script),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    lines = {line for line in out.stdout.splitlines() if '|' in line}
    everything = []
    for step in range(4):
        labels, rows = [], []
        for rank in range(num_ranks):
            num_rows = (3 * rank + step) % 4
            labels += [100 * rank + 10 * step + i for i in range(num_rows)]
            rows += [10.0 * step + rank + 1] * num_rows
        everything += labels
        for rank in range(num_ranks):
            assert f'{rank}|{step}|{labels}|{rows}' in lines
    ring = [-1] * 5
    pointer = 0
    for label in everything:
        ring[pointer] = label
        pointer = (pointer + 1) % 5
    for rank in range(num_ranks):
        # A batch larger than the queue keeps its last rows; the place of
        # the oldest row may differ from that of single appends.
        line = next(x for x in lines if x.startswith(f'{rank}|queue|'))
        got_labels, got_pointer = line.split('|')[2:]
        got, at = eval(got_labels), int(got_pointer)
        assert got[at:] + got[:at] == ring[pointer:] + ring[:pointer]


def test_one_process_gets_its_own_rows_back():
    rows, labels = torch.ones(3, 2), torch.arange(3)
    gathered = gather_rows(rows, labels)
    assert gathered[0] is rows and gathered[1] is labels
