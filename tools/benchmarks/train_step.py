"""Time a training step of one config against that of another.

Both models stand in one process and take their steps in turn, so that what
else the machine does meets both alike. Weights and images are random: neither
files nor downloads are needed.
"""

import argparse
import statistics
from functools import partial
from typing import Any, Callable

import torch
from measure import peak_bytes, seconds
from mmengine.device import get_device
from mmengine.model import BaseModel, revert_sync_batchnorm
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import nn

from mmpaco.losses import PaCoLoss
from mmpaco.runner.config_files import read_config
from mmpaco.runner.tool_arguments import whole_number
from mmpaco.runner.tool_ending import run_tool

NEEDS = ('model.backbone', 'model.data_preprocessor', 'optim_wrapper')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('baseline', help='config of the baseline')
    parser.add_argument('gpaco', help='config of the same model with GPaCo')
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
    return parser.parse_args()


def build(path: str, size: tuple) -> tuple[BaseModel, OptimWrapper]:
    cfg = read_config(path, 'mmseg', NEEDS)
    cfg.model.pretrained = cfg.model.backbone.init_cfg = None
    cfg.model.data_preprocessor.size = tuple(size)
    model = revert_sync_batchnorm(MODELS.build(cfg.model))
    model = model.to(get_device()).train()
    return model, build_optim_wrapper(model, cfg.optim_wrapper)


def random_batch(num_images: int, size: tuple, num_classes: int) -> dict:
    """Noise in blocks of 16 pixels, a tenth of it without a label."""
    blocks = torch.rand(num_images, 1, -(-size[0] // 16), -(-size[1] // 16))
    blocks = blocks.repeat_interleave(16, 2).repeat_interleave(16, 3)
    labels = (blocks[..., : size[0], : size[1]] * num_classes / 0.9).long()
    labels[labels >= num_classes] = 255
    return dict(
        inputs=list(torch.randint(0, 256, (num_images, 3, *size)).byte()),
        data_samples=[
            SegDataSample(gt_sem_seg=PixelData(data=label)) for label in labels
        ],
    )


def record_losses(
    model: BaseModel, step: Callable[[], Any]
) -> Callable[[], None]:
    """Take a step, and make what computes its contrastive losses again."""
    calls = []

    def note(module: nn.Module, args: tuple, options: dict) -> None:
        calls.append((module, [x.detach() for x in args], options))

    hooks = [
        m.register_forward_pre_hook(note, with_kwargs=True)
        for m in model.modules()
        if isinstance(m, PaCoLoss)
    ]
    step()
    for hook in hooks:
        hook.remove()

    def run() -> None:
        for loss, args, options in calls:
            trained = [x for x in args if x.is_floating_point()]
            for x in trained:
                x.requires_grad_()
            torch.autograd.grad(loss(*args, **options), trained)

    return run


def main() -> None:
    args = parse_args()
    device = get_device()
    models = {
        name: build(getattr(args, name), args.size)
        for name in ('baseline', 'gpaco')
    }
    classes = models['baseline'][0].num_classes

    def step(name: str) -> Callable[[], Any]:
        model, optimizer = models[name]
        # Made anew, since the preprocessor changes what it is given.
        batch = random_batch(args.batch, args.size, classes)
        return partial(model.train_step, batch, optimizer)

    losses = record_losses(models['gpaco'][0], step('gpaco'))
    times: dict[str, list[float]] = {'baseline': [], 'gpaco': [], 'loss': []}
    # The first round warms up.
    for i in range(args.repeats + 1):
        for name, values in times.items():
            took = seconds(losses if name == 'loss' else step(name), device)
            if i > 0:
                values.append(took)
    medians = {name: statistics.median(x) for name, x in times.items()}
    peaks = {name: peak_bytes(step(name), device) for name in models}
    print(
        f'{args.batch} images of {args.size[0]} x {args.size[1]} on '
        f'{device}, torch {torch.__version__}, '
        f'{torch.get_num_threads()} threads'
    )
    for name, values in times.items():
        line = (
            f'{name:8}  median {medians[name]:.3f} s of {len(values)} '
            f'({min(values):.3f} to {max(values):.3f})'
        )
        if name in peaks:
            line += f', peak memory of a step {peaks[name] / 2**20:.0f} MiB'
        print(line)
    print(
        f'gpaco / baseline: {medians["gpaco"] / medians["baseline"]:.3f} in '
        f'time, {peaks["gpaco"] / peaks["baseline"]:.3f} in memory; the '
        'contrastive loss and its gradients take '
        f'{100 * medians["loss"] / medians["gpaco"]:.1f} % of a gpaco step'
    )


if __name__ == '__main__':
    run_tool(main)
