"""Time a training step of one config against that of another.

Both models stand in one process and take their steps in turn, so that what
else the machine does meets both alike; so do what GPaCo adds, its loss and its
projector, each alone with all its gradients, and a step with GPaCo that draws
its pixels after the projector, as the papers' release does. The seconds are
those in which a processor works, of all threads together; one thread
(OMP_NUM_THREADS=1) waits for no other. Weights and images are random: neither
files nor downloads are needed.

On a CUDA device, or with --precisions, it is another table: steps of the
baseline, of GPaCo, and of GPaCo without kernels, in several precisions; of
classification, too, whose baseline gets as many images in one view.
"""

import argparse
import statistics
from functools import partial
from pathlib import Path
from typing import Any, Callable

import torch
from measure import is_cuda, peak_bytes, processor_seconds
from mmengine.model import BaseModel, revert_sync_batchnorm
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmseg.registry import MODELS
from torch import nn
from train_step_device import PRECISIONS, measure_steps
from train_step_models import seg_batch

from mmpaco.losses import PaCoLoss
from mmpaco.runner.config_files import read_config
from mmpaco.runner.tool_arguments import known_device, whole_number
from mmpaco.runner.tool_ending import run_tool
from mmpaco.seg.models import GPaCoAuxHead

NEEDS = ('model.backbone', 'model.data_preprocessor', 'optim_wrapper')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('baseline', help='config of the baseline')
    parser.add_argument(
        'gpaco',
        nargs='?',
        help='config of the same model with GPaCo (default: that of the '
        'baseline, with another type of its model)',
    )
    parser.add_argument(
        '--size',
        type=whole_number,
        nargs=2,
        default=(512, 512),
        metavar=('H', 'W'),
        help='size of the images (default: 512 512)',
    )
    parser.add_argument(
        '--batch',
        type=whole_number,
        default=2,
        help='images in a step (default: %(default)s)',
    )
    parser.add_argument(
        '--repeats',
        type=whole_number,
        default=5,
        help='timed steps of each config (default: %(default)s)',
    )
    parser.add_argument(
        '--device',
        type=known_device,
        default='cuda' if torch.cuda.is_available() else 'cpu',
        help='cpu, cuda or cuda:1 (default here: %(default)s)',
    )
    parser.add_argument(
        '--precisions',
        nargs='+',
        choices=PRECISIONS,
        help='of the table of a device (default there: float32 bfloat16); '
        'half precision by autocast is for a CUDA device',
    )
    parser.add_argument(
        '--out',
        type=Path,
        metavar='FILE',
        help='add lines of JSON to a file, of the table of a device',
    )
    args = parser.parse_args()
    halves = {*(args.precisions or ())} - {'float32'}
    if halves and not is_cuda(args.device):
        parser.error(
            f'{" and ".join(sorted(halves))} need a CUDA device, but got '
            f'--device {args.device}'
        )
    return args


def build(
    path: str, size: tuple, device: str, **changes: str
) -> tuple[BaseModel, OptimWrapper]:
    cfg = read_config(path, 'mmseg', NEEDS)
    cfg.model.update(changes)
    cfg.model.pretrained = cfg.model.backbone.init_cfg = None
    cfg.model.data_preprocessor.size = tuple(size)
    model = revert_sync_batchnorm(MODELS.build(cfg.model))
    model = model.to(device).train()
    return model, build_optim_wrapper(model, cfg.optim_wrapper)


def record_calls(
    modules: list[nn.Module], step: Callable[[], Any]
) -> Callable[[], None]:
    """Take a step, and make what calls modules again, with all gradients."""
    calls = []

    def note(module: nn.Module, args: tuple, options: dict) -> None:
        calls.append((module, [x.detach() for x in args], options))

    hooks = [
        m.register_forward_pre_hook(note, with_kwargs=True) for m in modules
    ]
    step()
    for hook in hooks:
        hook.remove()

    def run() -> None:
        for module, args, options in calls:
            trained = [x for x in args if x.is_floating_point()]
            for x in trained:
                x.requires_grad_()
            trained += module.parameters()
            out = module(*args, **options)
            torch.autograd.grad(out, trained, torch.ones_like(out))

    return run


def added(times: dict[str, list[float]], step: str, projector: str) -> str:
    """What GPaCo adds to a step, by rounds, whose parts drift together."""
    median, rounds = statistics.median, []
    for whole, *parts in zip(
        *(times[x] for x in (step, 'baseline', 'loss', projector))
    ):
        rounds.append([x / whole for x in (*parts, whole - sum(parts))])
    baseline, loss, mlp, rest = (median(x) for x in zip(*rounds))
    return (
        f'{1 / baseline:.3f} in time; of the step, the contrastive loss takes '
        f'{100 * loss:.1f} %, the projector {100 * mlp:.1f} % and the rest '
        f'{100 * rest:.1f} %'
    )


def main() -> None:
    args = parse_args()
    device = args.device
    if is_cuda(device) or args.precisions:
        measure_steps(
            dict(baseline=args.baseline, gpaco=args.gpaco),
            args.precisions or ('float32', 'bfloat16'),
            args.batch,
            args.size,
            args.repeats,
            device,
            args.out,
        )
        return
    type_alone = dict(type='mmpaco.GPaCoEncoderDecoder')
    models = dict(
        baseline=build(args.baseline, args.size, device),
        gpaco=build(args.gpaco, args.size, device)
        if args.gpaco
        else build(args.baseline, args.size, device, **type_alone),
    )
    modules = list(models['gpaco'][0].modules())
    heads = [m for m in modules if isinstance(m, GPaCoAuxHead)]
    losses = [m for m in modules if isinstance(m, PaCoLoss)]
    projectors = [head.projector for head in heads]

    def step(name: str) -> Callable[[], Any]:
        for head in heads:
            head.sample_after_projector = name == 'released'
        model, optimizer = models[
            'baseline' if name == 'baseline' else 'gpaco'
        ]
        # Made anew, since the preprocessor changes what it is given.
        batch = seg_batch(args.batch, args.size, model.num_classes)
        return partial(model.train_step, batch, optimizer)

    steps = ('baseline', 'gpaco', 'released')
    parts = {
        'loss': record_calls(losses, step('gpaco')),
        'projector': record_calls(projectors, step('gpaco')),
        'whole map': record_calls(projectors, step('released')),
    }
    times: dict[str, list[float]] = {name: [] for name in (*steps, *parts)}
    # The first round warms up.
    for i in range(args.repeats + 1):
        for name, values in times.items():
            took = processor_seconds(parts.get(name) or step(name))
            if i > 0:
                values.append(took)
    peaks = {name: peak_bytes(step(name), device) for name in steps}
    print(
        f'{args.batch} images of {args.size[0]} x {args.size[1]} on '
        f'{device}, torch {torch.__version__}, '
        f'{torch.get_num_threads()} threads'
    )
    for name, values in times.items():
        line = (
            f'{name:9}  median {statistics.median(values):.3f} s of '
            f'{len(values)} ({min(values):.3f} to {max(values):.3f})'
        )
        if name in peaks:
            line += f', peak memory of a step {peaks[name] / 2**20:.0f} MiB'
        print(line)
    for name, projector in (('gpaco', 'projector'), ('released', 'whole map')):
        print(
            f'{name} / baseline: {peaks[name] / peaks["baseline"]:.3f} in '
            f'memory, {added(times, name, projector)}'
        )


if __name__ == '__main__':
    run_tool(main)
