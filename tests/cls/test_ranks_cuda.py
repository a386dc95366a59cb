"""Two processes, a card each, over NCCL."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from support.processes import environment

pytest.importorskip('mmpretrain')

from support import cuda_ranks

pytestmark = pytest.mark.cuda(devices=2)


@pytest.fixture(scope='module')
def ranks(tmp_path_factory):
    folder = tmp_path_factory.mktemp('ranks')
    script = Path(cuda_ranks.__file__)
    cards = os.environ.get('CUDA_VISIBLE_DEVICES', '0,1')
    started = [
        subprocess.Popen(
            [sys.executable, '-W', 'ignore', script, folder, str(rank)],
            env=environment(script.parents[1], CUDA_VISIBLE_DEVICES=cards),
        )
        for rank in range(cuda_ranks.RANKS)
    ]
    try:
        assert [process.wait(timeout=180) for process in started] == [0, 0]
    finally:
        for process in started:
            process.kill()
    return [
        torch.load(folder / f'rank{rank}.pth', map_location='cpu')
        for rank in range(cuda_ranks.RANKS)
    ]


def test_rows_of_unequal_ranks_are_gathered(ranks):
    first, second = (rank['gathered'] for rank in ranks)
    rows = torch.cat([first['rows'], second['rows']])
    for rank, own, other in ((0, first, second), (1, second, first)):
        assert torch.equal(own['all'], rows)
        assert torch.equal(own['others'], other['rows'])
        assert own['other_labels'].tolist() == [1 - rank] * len(other['rows'])
        assert torch.equal(own['restored'], own['rows'])
        # What the other rank asked of them.
        assert (own['gradient'] == 2 - rank).all()
        assert own['weight'] == 2 * len(own['rows']) / len(rows)


def test_ranks_hold_the_same_queue_and_weights(ranks):
    first, second = (rank['state'] for rank in ranks)
    assert int(first['head.queue.filled']) == 3 * sum(cuda_ranks.IMAGES)
    assert int(first['momentum_encoder.steps']) == 1 + cuda_ranks.STEPS
    for name, value in first.items():
        # DDP leaves the running statistics of batch norm to each rank.
        if 'running' not in name:
            assert torch.equal(value, second[name]), name
