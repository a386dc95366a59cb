"""Train with a loss in a plain loop of PyTorch, at the first with it alone."""

import sys
from importlib.util import find_spec

import torch

from mmpaco.losses import paco_loss

if 'alone' in sys.argv:
    here = [x for x in ('mmengine', 'mmcv') if find_spec(x)]
    if here:
        raise RuntimeError(f'torch is not alone, beside it are {here}')
torch.manual_seed(0)
images = torch.randn(4, 16).repeat(2, 1)
labels = torch.tensor([0, 0, 1, 2]).repeat(2)
embed, classify = torch.nn.Linear(16, 128), torch.nn.Linear(16, 3)
weights = [*embed.parameters(), *classify.parameters()]
optimizer = torch.optim.SGD(weights, 0.1)
values = []
for _ in range(20):
    value = paco_loss(
        torch.nn.functional.normalize(embed(images)),
        labels,
        classify(images),
        alpha=0.05,
        temperature=0.2,
        class_counts=torch.tensor([90, 9, 1]),
    )
    optimizer.zero_grad()
    value.backward()
    optimizer.step()
    values.append(value.item())
if not values[-1] < values[0]:
    raise RuntimeError(f'the loss did not fall: {values}')
print(f'{values[0]:.3f} -> {values[-1]:.3f}')
