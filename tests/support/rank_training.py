"""Trains a small segmentor in float64, alone or as one of several ranks.

``python rank_training.py FOLDER RANK`` is one of three ranks; it trains the
cases of ``FOLDER/cases.pth`` and writes ``FOLDER/rank{RANK}.pth``.
"""

import os
import sys

import torch
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from mmengine.registry import DefaultScope
from mmengine.runner import set_random_seed
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import distributed

from mmpaco.runner.cpu_ddp import CPUDistributedDataParallel
from mmpaco.seg.models import GPaCoAuxHead
from mmpaco.seg.models.gpaco_aux_head import DecodeHeadOutput

RANKS, STEPS, IMAGES = 3, 10, 2
CLASSES, IGNORE, SIZE = 5, 255, 64


def joint_batch(step, world):
    """Images of all ranks, whose labelled pixels differ in number."""
    generator = torch.Generator().manual_seed(100 + step)
    shape = (world * IMAGES, SIZE, SIZE)
    images = torch.randn(
        shape[0], 3, *shape[1:], generator=generator, dtype=torch.float64
    )
    labels = torch.randint(0, CLASSES, shape, generator=generator)
    for i, label in enumerate(labels):
        ignored = torch.rand(label.shape, generator=generator)
        label[ignored < 0.2 * i] = IGNORE
    labels[step % len(labels)] = IGNORE
    if step % 3 == 1:
        # A rank without any label.
        labels[-IMAGES:] = IGNORE
    return images, labels


def train(case, weights, rank=None, group=None):
    """Train a case; with ranks, on this rank's part of each batch.

    Returns:
        dict: Losses of each step, gradients after each, and the weights.
    """
    world = case['world']
    model = MODELS.build(case['cfg']).double()
    model.load_state_dict(weights)
    wrapped = model
    part = slice(None)
    if rank is not None:
        part = slice(rank * IMAGES, (rank + 1) * IMAGES)
        wrapped = CPUDistributedDataParallel(
            model,
            find_unused_parameters=False,
            static_graph=case['static_graph'],
            process_group=group,
        )
        assert isinstance(wrapped, MMDistributedDataParallel)
    optim_wrapper = OptimWrapper(
        torch.optim.SGD(model.parameters(), lr=0.005, momentum=0.9),
        accumulative_counts=case['accumulate'],
    )
    optim_wrapper.initialize_count_status(wrapped, 0, STEPS)
    losses, gradients = [], []
    for step in range(STEPS):
        images, labels = joint_batch(step, world)
        samples = [
            SegDataSample(gt_sem_seg=PixelData(data=label[None]))
            for label in labels[part]
        ]
        # What train_step does, but its preprocessor makes float32.
        with optim_wrapper.optim_context(wrapped):
            found = wrapped(images[part], samples, mode='loss')
        total, logged = model.parse_losses(found)
        losses.append({k: v for k, v in logged.items() if 'loss' in k})
        optim_wrapper.backward(optim_wrapper.scale_loss(total))
        if optim_wrapper.should_update():
            gradients.append(
                {k: p.grad.clone() for k, p in model.named_parameters()}
            )
            optim_wrapper.step()
            optim_wrapper.zero_grad()
    return dict(losses=losses, gradients=gradients, weights=model.state_dict())


def positions(**randomness):
    """Positions drawn of two images after the runner's way of seeding."""
    torch.manual_seed(0)
    head = GPaCoAuxHead(4, num_classes=CLASSES, num_samples=20)
    set_random_seed(0, **randomness)
    feature, logits = torch.ones(2, 4, 8, 8), torch.zeros(2, CLASSES, 8, 8)
    labels = torch.zeros(2, 1, 8, 8, dtype=torch.int64)
    samples = [SegDataSample(gt_sem_seg=PixelData(data=x)) for x in labels]
    logits.requires_grad_()
    output = DecodeHeadOutput(feature, logits)
    head.loss(output, samples, None)['loss_gpaco'].backward()
    return logits.grad.abs().sum(1).flatten(1) > 0


def main(folder, rank):
    DefaultScope.get_instance('rank', scope_name='mmseg')
    distributed.init_process_group(
        'gloo', f'file://{folder}/store', rank=rank, world_size=RANKS
    )
    groups = {n: distributed.new_group(range(n)) for n in (2, 3)}
    state = torch.load(f'{folder}/cases.pth', weights_only=False)
    results = dict(
        same_seed=positions(), seed_per_rank=positions(diff_rank_seed=True)
    )
    for name, case in state['cases'].items():
        if rank < case['world']:
            weights = state['weights'][case['source']]
            group = groups[case['world']]
            results[name] = train(case, weights, rank, group)
    torch.save(results, f'{folder}/rank{rank}.pth')
    # Threads of gloo now and then abort an interpreter that ends.
    os._exit(0)


if __name__ == '__main__':
    main(sys.argv[1], int(sys.argv[2]))
