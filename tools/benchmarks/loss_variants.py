"""What the loss benchmark times: the loss, its peers, their inputs."""

from collections.abc import Mapping, Sequence
from functools import partial
from importlib import import_module
from importlib.metadata import version
from typing import Any, Callable, NamedTuple, Optional

import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmpaco.losses import paco_loss

WIDTH = 128
# Of one float32 matrix of all pairs. Peers hold up to 12 of its size.
LARGEST_MATRIX = 512 * 2**20
PairLoss = Callable[[Tensor, Tensor], Tensor]


class Case(NamedTuple):
    name: str
    sizes: Sequence[int]
    classes: Sequence[int]
    extra_rows: int
    alpha: float
    temperature: float


# The heads of Cityscapes, ADE20K and COCO-Stuff; the queues of ImageNet-LT and
# iNaturalist 2018.
CASES = {
    'pixels': Case(
        'pixels', (2048, 8192, 32768), (19, 150, 171), 0, 0.01, 0.07
    ),
    'queue': Case('queue', (64, 256, 1024), (1000, 8142), 8192, 0.05, 0.2),
}


class Step(NamedTuple):
    """A loss, and the inputs that get gradients."""

    loss: Callable[[], Tensor]
    inputs: Sequence[Tensor]

    def __call__(self) -> Sequence[Tensor]:
        return torch.autograd.grad(self.loss(), self.inputs)


def pml(temperature: float) -> PairLoss:
    module = import_module('pytorch_metric_learning.losses')
    loss: PairLoss = module.SupConLoss(temperature=temperature)
    return loss


def lightly(temperature: float) -> PairLoss:
    loss = import_module('lightly.loss').NTXentLoss(temperature)
    # An odd anchor is in no view.
    return lambda features, _: loss(
        *features[: len(features) // 2 * 2].chunk(2)
    )


def load_peers(temperature: float) -> dict[str, PairLoss]:
    peers = {}
    for make, package in (
        (pml, 'pytorch-metric-learning'),
        (lightly, 'lightly'),
    ):
        name = make.__name__
        try:
            peers[name] = make(temperature)
            print(f'{name} is of {package} {version(package)}')
        except ImportError:
            print(f'{name} is left out: {package} is not installed')
    return peers


def unit_rows(count: int, device: str) -> Tensor:
    return normalize(torch.randn(count, WIDTH, device=device))


def make_inputs(case: Case, N: int, C: int, device: str) -> dict[str, Tensor]:
    """Arguments of the loss, the same in every run."""
    torch.manual_seed(0)
    inputs = {
        'features': unit_rows(N, device).requires_grad_(),
        'labels': torch.randint(C, (N,), device=device),
        'center_logits': torch.randn(N, C, device=device).requires_grad_(),
    }
    if case.extra_rows:
        inputs['extra_features'] = unit_rows(case.extra_rows, device)
        inputs['extra_labels'] = torch.randint(
            C, (case.extra_rows,), device=device
        )
        inputs['class_counts'] = torch.randint(1, 1000, (C,), device=device)
    return inputs


def bare_products(
    features: Tensor, extra_features: Optional[Tensor] = None
) -> Callable[[], None]:
    """Make what multiplies as the equation needs, and does nothing else."""
    anchors = contrasts = features.detach()
    if extra_features is not None:
        contrasts = torch.cat([anchors, extra_features])
    similarities = anchors.new_empty(len(anchors), len(contrasts))
    of_anchors = torch.empty_like(anchors)

    def run() -> None:
        torch.mm(anchors, contrasts.t(), out=similarities)
        torch.mm(similarities, contrasts, out=of_anchors)
        if extra_features is None:
            torch.mm(similarities.t(), anchors, out=of_anchors)

    return run


def make_steps(
    case: Case, inputs: Mapping[str, Tensor], peers: Mapping[str, PairLoss]
) -> dict[str, Callable[[], Any]]:
    """Make the variants of a case, by name."""
    features, labels = inputs['features'], inputs['labels']
    loss = partial(
        paco_loss, **inputs, alpha=case.alpha, temperature=case.temperature
    )
    trained = (features, inputs['center_logits'])
    steps: dict[str, Callable[[], Any]] = {'tiled': Step(loss, trained)}
    if matrix_bytes(case, len(features)) > LARGEST_MATRIX:
        return steps
    steps['dense'] = Step(partial(loss, impl='dense'), trained)
    steps['floor'] = bare_products(features, inputs.get('extra_features'))
    for name, peer in peers.items():
        steps[name] = Step(partial(peer, features, labels), (features,))
    return steps


def matrix_bytes(case: Case, N: int) -> int:
    return 4 * N * (N + case.extra_rows)
