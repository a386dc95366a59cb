"""Errors of the loss and its gradients against float64.

Rows and scores are rounded to the precision first, so what is measured is what
the loss adds to that, and the rounding of the gradients it returns.
"""

import argparse
from functools import partial

import torch
import torch.nn.functional as F
from rich import box
from rich.console import Console
from rich.table import Table

from mmpaco.losses import paco_loss
from mmpaco.runner.tool_arguments import known_device, whole_number
from mmpaco.runner.tool_ending import run_tool

PRECISIONS = (torch.float32, torch.bfloat16, torch.float16)
TEMPERATURES = (1.0, 0.2, 0.07, 0.03, 0.01, 0.005)
NUM_CLASSES, CHANNELS = 150, 128


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--rows',
        type=partial(whole_number, least=2),
        default=2048,
        help='anchors, and as many extra rows (default: %(default)s)',
    )
    parser.add_argument(
        '--device',
        type=known_device,
        default='cuda' if torch.cuda.is_available() else 'cpu',
        help='device (default: %(default)s)',
    )
    return parser.parse_args()


def inputs(num_rows: int, device: str) -> dict:
    torch.manual_seed(0)
    # Pixels of a class are alike, as they are in training.
    labels = torch.randint(0, NUM_CLASSES, (2, num_rows))
    means = torch.randn(NUM_CLASSES, CHANNELS)
    noise = torch.randn(2, num_rows, CHANNELS)
    rows = F.normalize(means[labels] + noise, dim=2)
    found = dict(
        features=rows[0],
        center_logits=torch.randn(num_rows, NUM_CLASSES),
        extra_features=rows[1],
        labels=labels[0],
        extra_labels=labels[1],
    )
    return {name: x.to(device) for name, x in found.items()}


def value_and_gradients(tensors: dict, temperature: float, impl: str) -> list:
    tensors = {
        name: x.detach().clone().requires_grad_(x.is_floating_point())
        for name, x in tensors.items()
    }
    loss = paco_loss(**tensors, alpha=0.01, temperature=temperature, impl=impl)
    loss.backward()
    grads = [x.grad for x in tensors.values() if x.requires_grad]
    return [x.double() for x in (loss.detach(), *grads)]


def main() -> None:
    args = parse_args()
    table = Table(
        title='Relative error against float64: of the loss, and the largest '
        'of the gradients (norm of the difference over the norm).',
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        title_justify='left',
    )
    for heading in ('precision', 'temperature'):
        table.add_column(heading)
    for heading in ('tiled loss', 'dense loss', 'tiled grad', 'dense grad'):
        table.add_column(heading, justify='right')
    made = inputs(args.rows, args.device)
    for precision in PRECISIONS:
        rounded = {
            name: x.to(precision) if x.is_floating_point() else x
            for name, x in made.items()
        }
        exact_inputs = {
            name: x.double() if x.is_floating_point() else x
            for name, x in rounded.items()
        }
        for temperature in TEMPERATURES:
            exact = value_and_gradients(exact_inputs, temperature, 'dense')
            losses, grads = [], []
            for impl in ('tiled', 'dense'):
                found = value_and_gradients(rounded, temperature, impl)
                errors = [
                    float((one - other).norm() / other.norm())
                    for one, other in zip(found, exact)
                ]
                losses.append(f'{errors[0]:.1e}')
                grads.append(f'{max(errors[1:]):.1e}')
            name = str(precision).replace('torch.', '')
            table.add_row(name, f'{temperature:g}', *losses, *grads)
    Console().print(table)


if __name__ == '__main__':
    run_tool(main)
