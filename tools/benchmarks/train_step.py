"""Time a training step of one config against that of another.

Both models stand in one process and take their steps in turn, so that what
else the machine does meets both alike. Weights and images are random: neither
files nor downloads are needed.
"""

import argparse
import statistics
import time

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.model import BaseModel, revert_sync_batchnorm
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch.profiler import ProfilerActivity, profile


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('baseline', help='config of the baseline')
    parser.add_argument('gpaco', help='config of the same model with GPaCo')
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        default=(512, 512),
        metavar=('H', 'W'),
        help='size of the images (default: 512 512)',
    )
    parser.add_argument(
        '--batch',
        type=int,
        default=2,
        help='images in a step (default: %(default)s)',
    )
    parser.add_argument(
        '--repeats',
        type=int,
        default=5,
        help='timed steps of each config (default: %(default)s)',
    )
    args = parser.parse_args()
    for name in ('batch', 'repeats'):
        if getattr(args, name) < 1:
            parser.error(f'--{name} must be positive')
    return args


def build(path: str, size: tuple) -> tuple[BaseModel, OptimWrapper]:
    cfg = Config.fromfile(path)
    init_default_scope(cfg.get('default_scope', 'mmseg'))
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


def seconds(model: BaseModel, optimizer: OptimWrapper, batch: dict) -> float:
    wait = torch.cuda.synchronize if torch.cuda.is_available() else int
    wait()
    start = time.perf_counter()
    model.train_step(batch, optimizer)
    wait()
    return time.perf_counter() - start


def peak_bytes(model: BaseModel, optimizer: OptimWrapper, batch: dict) -> int:
    """Most that a step holds above what the model held before it."""
    if torch.cuda.is_available():
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        model.train_step(batch, optimizer)
        return torch.cuda.max_memory_allocated() - before
    # The resident size of the process would not tell one model's memory from
    # what the other one has given back to the allocator.
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as p:
        model.train_step(batch, optimizer)
    events = [
        # Microseconds before torch 2.3; only the order matters.
        (e.start_ns() if hasattr(e, 'start_ns') else e.start_us(), e.nbytes())
        for e in p.profiler.kineto_results.events()
        if e.name() == '[memory]'
    ]
    held = peak = 0
    for _, num_bytes in sorted(events, key=lambda event: event[0]):
        held += num_bytes
        peak = max(peak, held)
    return peak


def main() -> None:
    args = parse_args()
    models = {
        name: build(getattr(args, name), args.size)
        for name in ('baseline', 'gpaco')
    }
    classes = models['baseline'][0].num_classes
    times: dict[str, list[float]] = {name: [] for name in models}
    # The first round warms up.
    for i in range(args.repeats + 1):
        for name, pair in models.items():
            # Made anew, since the preprocessor changes what it is given.
            batch = random_batch(args.batch, args.size, classes)
            took = seconds(*pair, batch)
            if i > 0:
                times[name].append(took)
    medians = {name: statistics.median(x) for name, x in times.items()}
    peaks = {
        name: peak_bytes(*pair, random_batch(args.batch, args.size, classes))
        for name, pair in models.items()
    }
    print(
        f'{args.batch} images of {args.size[0]} x {args.size[1]} on '
        f'{get_device()}, torch {torch.__version__}, '
        f'{torch.get_num_threads()} threads'
    )
    for name, values in times.items():
        print(
            f'{name:8}  median {medians[name]:.3f} s of {len(values)} steps '
            f'({min(values):.3f} to {max(values):.3f}), peak memory of a step '
            f'{peaks[name] / 2**20:.0f} MiB'
        )
    print(
        f'gpaco / baseline: {medians["gpaco"] / medians["baseline"]:.3f} in '
        f'time, {peaks["gpaco"] / peaks["baseline"]:.3f} in memory'
    )


if __name__ == '__main__':
    main()
