"""Training steps on a device: a baseline, and GPaCo by kernels and by tiles.

Of segmentation and of classification, whose baseline gets as many images in
one view.
"""

import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Callable, Optional

import torch
from loss_table import short
from measure import device_work, kernels_off, peak_bytes, seconds
from torch import nn
from train_step_models import NEEDS, Trained, build, take_step

from mmpaco.losses import PaCoLoss
from mmpaco.runner.config_files import read_config

PRECISIONS = ('float32', 'bfloat16', 'float16')
TURNS = ('baseline', 'gpaco', 'tiles')


def record_losses(
    trained: Trained, step: Callable[[], Any]
) -> Callable[[], None]:
    """Take a step, and make what computes its contrastive losses again."""
    calls = []

    def note(module: nn.Module, args: tuple, options: dict) -> None:
        args = tuple(
            x.detach().requires_grad_(x.requires_grad)
            if isinstance(x, torch.Tensor)
            else x
            for x in args
        )
        calls.append((module, args, options))

    hooks = [
        module.register_forward_pre_hook(note, with_kwargs=True)
        for module in trained.model.modules()
        if isinstance(module, PaCoLoss)
    ]
    step()
    for hook in hooks:
        hook.remove()

    def run() -> None:
        for loss, args, options in calls:
            with trained.wrapper.optim_context(trained.model):
                out = loss(*args, **options)
            wanted = [
                x
                for x in args
                if isinstance(x, torch.Tensor) and x.requires_grad
            ]
            torch.autograd.grad(out, wanted)

    return run


def compare(
    paths: Mapping[str, Optional[str]],
    precision: str,
    num_images: int,
    size: Sequence[int],
    repeats: int,
    device: str,
) -> dict[str, Any]:
    """Time steps by turns; the first two rounds warm up."""
    configs = {
        name: read_config(paths[name] or paths['baseline'], needs=NEEDS)
        for name in ('baseline', 'gpaco')
    }
    if paths['gpaco'] is None:
        if configs['gpaco'].get('default_scope') == 'mmpretrain':
            raise ValueError(
                'a config of mmpretrain needs one of the same model with '
                'GPaCo; give it, too'
            )
        configs['gpaco'].model.type = 'mmpaco.GPaCoEncoderDecoder'
    made = {
        name: build(cfg, num_images, size, device, precision)
        for name, cfg in configs.items()
    }

    def turn(name: str) -> Callable[[], None]:
        trained = made['baseline' if name == 'baseline' else 'gpaco']
        batch = trained.batch()
        is_off = name == 'tiles'

        def run() -> None:
            with kernels_off() if is_off else contextlib.nullcontext():
                take_step(trained, batch)

        return run

    again = record_losses(made['gpaco'], turn('gpaco'))

    def tiled() -> None:
        with kernels_off():
            again()

    parts = {'loss': again, 'loss, tiles': tiled}
    found: dict[str, list[float]] = {x: [] for x in (*TURNS, *parts)}
    for i in range(repeats + 2):
        for name, values in found.items():
            # Made anew, since the preprocessor changes what it is given.
            took = seconds(parts.get(name) or turn(name), device)
            if i > 1:
                values.append(1000 * took)
    rows = {}
    for name, values in found.items():
        run = parts.get(name) or turn(name)
        work = device_work(run, device)
        peak = peak_bytes(parts.get(name) or turn(name), device)
        rows[name] = dict(
            median_ms=median(values),
            least_ms=min(values),
            most_ms=max(values),
            card_ms=None if work is None else 1000 * work.busy,
            launches=None if work is None else work.launches,
            memory_mib=peak / 2**20,
        )
    return rows


def print_steps(result: Mapping[str, Any]) -> None:
    """Print what :func:`measure_steps` gives, of one config."""
    height, width = result['size']
    print(
        f'\n{result["gpaco"] or result["baseline"]}, {result["precision"]}: '
        f'{result["images"]} images of {height} x {width} on '
        f'{result["device"]}'
    )
    headings = ('ms', 'least', 'most', 'card', 'launches', 'MiB', '/ base')
    print(f'  {"":12}' + ''.join(f'{x:>9}' for x in headings))
    base = result['turns']['baseline']['median_ms']
    for name, row in result['turns'].items():
        cells = [
            *(row[x] for x in ('median_ms', 'least_ms', 'most_ms', 'card_ms')),
            row['launches'],
            row['memory_mib'],
            row['median_ms'] / base,
        ]
        texts = [str(x) if isinstance(x, int) else short(x) for x in cells]
        print(f'  {name:12}' + ''.join(f'{x:>9}' for x in texts), flush=True)
    step = result['turns']['gpaco']['median_ms']
    loss = result['turns']['loss']['median_ms']
    print(
        f'  the contrastive loss with its gradients: {100 * loss / step:.2f} '
        '% of a step of gpaco',
        flush=True,
    )


def measure_steps(
    paths: Mapping[str, Optional[str]],
    precisions: Sequence[str],
    num_images: int,
    size: Sequence[int],
    repeats: int,
    device: str,
    out: Optional[Path],
) -> None:
    """Measure a pair of configs in several precisions, and print it.

    Args:
        paths: Of the baseline and of gpaco.
        precisions: Of ``PRECISIONS``.
        num_images: Images of a step.
        size: Height and width.
        repeats: Timed steps of each.
        device: A device.
        out: A file that gets a line of JSON for each precision.
    """
    name = device
    if torch.device(device).type == 'cuda':
        name = torch.cuda.get_device_name(device)
    for precision in precisions:
        result = dict(
            paths,
            precision=precision,
            images=num_images,
            size=list(size),
            device=name,
            turns=compare(paths, precision, num_images, size, repeats, device),
        )
        if out is not None:
            with out.open('a') as file:
                file.write(json.dumps(result) + '\n')
        print_steps(result)
