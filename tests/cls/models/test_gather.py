"""Contrast over real processes, against one process on the whole batch."""

import os
import subprocess
import sys

import pytest
import torch

SCRIPT = """
import os
import sys

import torch
from mmengine.dist import get_rank, get_world_size
from mmengine.registry import DefaultScope
from mmpretrain.structures import DataSample
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from mmpaco.cls.models import GPaCoHead
from mmpaco.engine.distributed import gather_rows

folder, me = sys.argv[1], int(sys.argv[2])
DefaultScope.get_instance('rank', scope_name='mmpretrain')
torch.set_default_dtype(torch.float64)


class Model(nn.Module):
    def __init__(self, has_keys):
        super().__init__()
        self.net = nn.Linear(6, 5)
        self.head = GPaCoHead(
            num_classes=4, in_channels=5, queue_length=30, gather=True,
            num_views=1 if has_keys else 2, class_prior=False,
            projector=dict(out_channels=8),
            loss=dict(type='mmpaco.PaCoLoss', alpha=0.3, temperature=0.2),
            init_cfg=[])

    def forward(self, images, samples, keys):
        return self.head.loss((self.net(images),), samples, keys)['loss']


def train(has_keys, num_ranks):
    torch.manual_seed(0)
    model = wrapped = Model(has_keys)
    if num_ranks > 1:
        wrapped = DistributedDataParallel(model, find_unused_parameters=False)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    generator = torch.Generator().manual_seed(1)
    losses = []
    for step in range(10):
        # 11 images: one rank has fewer than the others.
        images = torch.randn(2, 11, 6, generator=generator)
        keys = torch.nn.functional.normalize(
            torch.randn(11, 8, generator=generator), dim=1)
        labels = torch.randint(0, 4, (11,), generator=generator)
        mine = torch.arange(11).chunk(num_ranks)[get_rank()]
        samples = [DataSample().set_gt_label(int(labels[i])) for i in mine]
        views = 1 if has_keys else 2
        loss = wrapped(
            images[:views, mine].flatten(0, 1), samples * views,
            keys[mine] if has_keys else None)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        queue = model.head.queue
        queue.append(*gather_rows(*queue.take_staged()))
        losses.append(loss.detach())
    gradients = {
        f'grad {name}': p.grad for name, p in model.named_parameters()}
    return {
        'losses': torch.stack(losses), **gradients, **model.state_dict()}


found = {}
# Of three processes those train that are among so many ranks.
for num_ranks in (1, 2, 3):
    if me >= num_ranks:
        continue
    if num_ranks > 1:
        distributed.init_process_group(
            'gloo', f'file://{folder}/store{num_ranks}', rank=me,
            world_size=num_ranks)
        assert get_world_size() == num_ranks
    for kind in ('keys', 'views'):
        found[kind, num_ranks] = train(kind == 'keys', num_ranks)
    if num_ranks > 1:
        distributed.destroy_process_group()
torch.save(found, f'{folder}/{me}.pth')
# Threads of gloo now and then abort an interpreter that takes its leave.
os._exit(0)
"""


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """What each of three processes holds, by kind and number of ranks."""
    folder = tmp_path_factory.mktemp('gather')
    script = folder / 'train.py'
    script.write_text(SCRIPT)
    processes = [
        subprocess.Popen(
            [sys.executable, str(script), str(folder), str(rank)],
            env={**os.environ, 'OMP_NUM_THREADS': '1'},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(3)
    ]
    for process in processes:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors[-3000:]
    return [
        torch.load(folder / f'{rank}.pth', weights_only=True)
        for rank in range(3)
    ]


@pytest.mark.parametrize('kind', ['keys', 'views'])
def test_ranks_contrast_as_one_process_on_the_whole_batch(trained, kind):
    """Ten steps in float64: losses, gradients, weights and queue."""
    found = {
        num_ranks: [
            trained[rank][kind, num_ranks] for rank in range(num_ranks)
        ]
        for num_ranks in (1, 2, 3)
    }
    (expected,) = found.pop(1)
    assert expected['losses'].dtype == torch.float64
    for ranks in found.values():
        # Each is weighted so that DDP's mean over ranks is that over images.
        losses = torch.stack([state['losses'] for state in ranks]).mean(0)
        torch.testing.assert_close(
            losses, expected['losses'], rtol=0, atol=1e-10
        )
        for state in ranks:
            for name, value in expected.items():
                if name != 'losses':
                    torch.testing.assert_close(
                        state[name], value, rtol=0, atol=1e-10, msg=name
                    )
