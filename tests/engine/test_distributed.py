"""Gathering over real processes."""

import json
import subprocess
import sys
from collections import deque

import pytest
import torch

from mmpaco.engine.distributed import gather_rows

SCRIPT = """
import json
import os
import sys

import torch
import torch.distributed as dist

from mmpaco.losses import EmbeddingQueue
from mmpaco.engine.distributed import (
    gather_rows, shuffle_rows, unshuffle_rows)

dist.init_process_group('gloo')
rank = dist.get_rank()
queue = EmbeddingQueue(5, 2)
torch.manual_seed(rank)
steps, dealt, messages = [], [], []
all_gather = dist.all_gather


def counted(parts, message, *args, **kwargs):
    messages[-1] += 1
    return all_gather(parts, message, *args, **kwargs)


dist.all_gather = counted
for step in range(4):
    num_rows = (3 * rank + step) % 4
    messages.append(0)
    rows = torch.full((num_rows, 2), 10. * step + rank + 1)
    labels = torch.arange(num_rows) + 100 * rank + 10 * step
    mine, *order = shuffle_rows(labels)
    dealt.append([mine.tolist(), unshuffle_rows(mine + 1000, *order).tolist()])
    messages.append(0)
    rows, labels = gather_rows(rows, labels)
    queue.append(rows, labels)
    steps.append([labels.tolist(), rows[:, 0].tolist()])
# Of any shape and precision, in one message.
messages.append(0)
kinds = [
    torch.full((rank, 3), rank, dtype=torch.int8),
    torch.full((rank, 2, 1), rank + 0.5, dtype=torch.float64),
    torch.full((rank,), rank % 2, dtype=torch.bool),
    torch.full((3, rank), -float('inf'), dtype=torch.bfloat16).t(),
    # Contiguous, of one row or none, and yet with strides that are not.
    torch.full((rank, 4), rank + 0.5)[:, ::4],
    torch.ones(rank, 3, 1, 2).to(memory_format=torch.channels_last),
]
for one, other in zip(gather_rows(*kinds), kinds):
    assert one.dtype == other.dtype, (one.dtype, other.dtype)
    assert one.shape[1:] == other.shape[1:]
    start = sum(range(rank))
    assert len(one) == sum(range(dist.get_world_size()))
    assert torch.equal(one[start:start + rank], other)
with open(f'{sys.argv[1]}/rank{rank}.json', 'w') as file:
    json.dump(
        [steps, queue.labels.tolist(), int(queue.pointer), dealt, messages],
        file)
# Threads of gloo now and then abort an interpreter that takes its leave.
os._exit(0)
"""


@pytest.mark.parametrize('num_ranks', (2, 3))
def test_ragged_rows_arrive_in_rank_order_on_all_ranks(tmp_path, num_ranks):
    """Also where a rank has none, as one process would append them.

    What is dealt to other ranks comes back to the rows that it was made of.
    """
    script = tmp_path / 'gather.py'
    script.write_text(SCRIPT)
    command = [sys.executable, '-m', 'torch.distributed.run', '--standalone']
    command += [f'--nproc_per_node={num_ranks}', str(script), str(tmp_path)]
    subprocess.run(command, timeout=300, check=True)

    expected, by_rank, ring = [], [], deque(maxlen=5)
    for step in range(4):
        labels, rows = [], []
        by_rank.append([])
        for rank in range(num_ranks):
            num_rows = (3 * rank + step) % 4
            own = [100 * rank + 10 * step + i for i in range(num_rows)]
            by_rank[-1].append(own)
            labels += own
            rows += [10.0 * step + rank + 1] * num_rows
        expected.append([labels, rows])
        ring.extend(labels)
    dealt_by_rank = []
    for rank in range(num_ranks):
        content = json.loads((tmp_path / f'rank{rank}.json').read_text())
        steps, labels, pointer, dealt, messages = content
        # Dealing takes two gathers, and collecting one; one more wherever a
        # batch is longer than those before.
        largest = [max(len(x) for x in step) for step in by_rank]
        grows = [x > max([0, *largest[:i]]) for i, x in enumerate(largest)]
        assert messages[:-1:2] == [2 + x for x in grows]
        assert messages[1:-1:2] == [1 + x for x in grows]
        assert messages[-1] == 2
        assert steps == expected
        # From the oldest row on.
        assert labels[pointer:] + labels[:pointer] == list(ring)
        dealt_by_rank.append(dealt)
        for step, (mine, back) in enumerate(dealt):
            assert len(mine) == len(by_rank[step][rank])
            assert back == [x + 1000 for x in by_rank[step][rank]]
    shuffled = [[r[step][0] for r in dealt_by_rank] for step in range(4)]
    assert shuffled != by_rank
    for step in range(4):
        assert sorted(sum(shuffled[step], [])) == expected[step][0]


def test_one_process_gets_its_own_rows_back():
    rows, labels = torch.ones(3, 2), torch.arange(3)
    gathered = gather_rows(rows, labels)
    assert gathered[0] is rows and gathered[1] is labels


STATISTICS = """
import os
import sys

import torch
import torch.distributed as dist
from torch import nn
from types import SimpleNamespace

from mmengine.hooks import EMAHook
from mmengine.model import ExponentialMovingAverage
from mmpaco.engine.hooks import WholeCheckpointHook

dist.init_process_group('gloo')
rank = dist.get_rank()
torch.manual_seed(0)
model = nn.Sequential(
    nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Flatten(),
    nn.BatchNorm1d(12, dtype=torch.float64))
average = ExponentialMovingAverage(model)
ema = EMAHook()
ema.ema_model = average
# What each rank has seen.
for layer in (*model, *average.module):
    if getattr(layer, 'running_mean', None) is not None:
        layer.running_mean += rank + 1
        layer.running_var *= rank + 2
        layer.num_batches_tracked += 5 + rank
weights = [x.clone() for x in model.parameters()]
runner = SimpleNamespace(model=model, hooks=[ema])
WholeCheckpointHook().before_val_epoch(runner)
assert all(map(torch.equal, weights, model.parameters()))
torch.save(
    [model.state_dict(), average.state_dict()], f'{sys.argv[1]}/{rank}.pth')
# Threads of gloo now and then abort an interpreter that takes its leave.
os._exit(0)
"""


def test_all_ranks_validate_the_statistics_of_the_rank_that_saves(tmp_path):
    script = tmp_path / 'statistics.py'
    script.write_text(STATISTICS)
    command = [sys.executable, '-m', 'torch.distributed.run', '--standalone']
    command += ['--nproc_per_node=2', str(script), str(tmp_path)]
    subprocess.run(command, timeout=300, check=True)
    first, second = (
        torch.load(tmp_path / f'{rank}.pth', weights_only=True)
        for rank in range(2)
    )
    for one, other, prefix in zip(first, second, ('', 'module.')):
        for layer in ('1', '3'):
            for name, value in (('running_mean', 1), ('running_var', 2)):
                key = f'{prefix}{layer}.{name}'
                assert torch.equal(one[key], other[key])
                assert torch.equal(one[key], torch.full_like(one[key], value))
