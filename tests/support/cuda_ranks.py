"""Trains PaCo on one of two cards: ``python cuda_ranks.py FOLDER RANK``.

Each rank writes ``FOLDER/rank{RANK}.pth``: what it gathers, and its model.
"""

import os
import sys
from types import SimpleNamespace

import torch
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from torch import distributed

from mmpaco.engine.distributed import (
    gather_rows,
    other_rows,
    shuffle_rows,
    unshuffle_rows,
)
from mmpaco.engine.hooks import PaCoQueueHook
from support.cuda import DEVICE
from support.small_classifier import small_classifier, two_views

RANKS, STEPS = 2, 3
IMAGES = (3, 2)


def gathered(rank, device):
    """Rows of this rank, of which there are fewer on the second."""
    rows = torch.arange(IMAGES[rank] * 4.0, device=device).view(-1, 4)
    rows = (rows + 100 * rank).requires_grad_()
    labels = torch.full((len(rows),), rank, device=device)
    others = other_rows(rows, labels)
    (others.rows.sum() * (rank + 1)).backward()
    shuffled, order, sizes = shuffle_rows(rows)
    return dict(
        all=gather_rows(rows)[0],
        others=others.rows,
        other_labels=others.labels,
        weight=others.weight,
        gradient=rows.grad,
        restored=unshuffle_rows(shuffled, order, sizes),
        rows=rows,
    )


def train(rank, model):
    wrapped = MMDistributedDataParallel(
        model, device_ids=[rank] if DEVICE == 'cuda' else None
    )
    wrapper = build_optim_wrapper(
        wrapped, dict(optimizer=dict(type='SGD', lr=0.05, momentum=0.9))
    )
    hook = PaCoQueueHook()
    runner = SimpleNamespace(
        model=wrapped, hooks=[], iter=0, optim_wrapper=wrapper
    )
    hook.before_train(runner)
    for step in range(STEPS):
        wrapped.train_step(
            two_views(IMAGES[rank], RANKS * step + rank), wrapper
        )
        hook.after_train_iter(runner, step)
    return model.state_dict()


def main(folder, rank):
    device = torch.device(DEVICE, rank) if DEVICE == 'cuda' else DEVICE
    if DEVICE == 'cuda':
        torch.cuda.set_device(device)
    distributed.init_process_group(
        'nccl' if DEVICE == 'cuda' else 'gloo',
        f'file://{folder}/store',
        rank=rank,
        world_size=RANKS,
    )
    init_default_scope('mmpretrain')
    found = dict(gathered=gathered(rank, device))
    found['state'] = train(rank, small_classifier(0.9).to(device))
    torch.save(found, f'{folder}/rank{rank}.pth')
    distributed.barrier()
    # Threads of the backend now and then abort an interpreter that ends.
    os._exit(0)


if __name__ == '__main__':
    main(sys.argv[1], int(sys.argv[2]))
