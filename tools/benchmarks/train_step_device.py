"""Training steps on a device: a baseline, and GPaCo by kernels and by tiles.

Of segmentation and of classification, whose baseline gets as many images in
one view.
"""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any, Callable, NamedTuple, Optional

import torch
from loss_table import short
from measure import device_work, peak_bytes, seconds
from mmengine.config import Config
from mmengine.model import BaseModel, revert_sync_batchnorm
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.structures import PixelData
from torch import nn

from mmpaco.losses import ClassPrior, EmbeddingQueue, PaCoLoss
from mmpaco.losses.kernels import SWITCH
from mmpaco.runner.config_files import read_config

PRECISIONS = ('float32', 'bfloat16', 'float16')
TURNS = ('baseline', 'gpaco', 'tiles')
NEEDS = ('model.backbone', 'optim_wrapper')
Batch = dict[str, Any]


class Trained(NamedTuple):
    """A model in training, and what makes its next batch."""

    model: BaseModel
    wrapper: OptimWrapper
    batch: Callable[[], Batch]


def seg_batch(num_images: int, size: Sequence[int], num_classes: int) -> Batch:
    """Noise in blocks of 16 pixels, a tenth of it without a label."""
    from mmseg.structures import SegDataSample

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


def cls_batch(
    num_images: int, size: Sequence[int], num_classes: int, num_views: int
) -> Batch:
    """Two views of random images, or as many images in one."""
    from mmpretrain.structures import DataSample

    views = list(torch.randint(0, 256, (2, num_images, 3, *size)).byte())
    labels = torch.randint(num_classes, (num_images,)).tolist()
    if num_views == 1:
        return dict(
            inputs=torch.cat(views),
            data_samples=[DataSample().set_gt_label(x) for x in labels * 2],
        )
    return dict(
        inputs=views,
        data_samples=[DataSample().set_gt_label(x) for x in labels],
    )


def build(
    cfg: Config, num_images: int, size: Sequence[int], device: str, dtype: str
) -> Trained:
    """Build a model and its optimizer, with a full queue and a prior."""
    scope = cfg.get('default_scope', 'mmseg')
    models = import_module(f'{scope}.registry').MODELS
    cfg.model.backbone.init_cfg = None
    if scope == 'mmseg':
        cfg.model.pretrained = None
        cfg.model.data_preprocessor.size = tuple(size)
    else:
        cfg.model.data_preprocessor = cfg.data_preprocessor
    # As the run of a config has it.
    torch.backends.cudnn.benchmark = bool(
        cfg.get('env_cfg', {}).get('cudnn_benchmark', False)
    )
    torch.manual_seed(0)
    model = revert_sync_batchnorm(models.build(cfg.model))
    num_classes = (model if scope == 'mmseg' else model.head).num_classes
    for module in model.modules():
        if isinstance(module, ClassPrior):
            module.set_class_counts(range(1, num_classes + 1))
        if isinstance(module, EmbeddingQueue):
            rows = torch.randn(module.length, module.rows.shape[1])
            module.append(rows, torch.randint(num_classes, (len(rows),)))
    model = model.to(device).train()
    wrapper = dict(cfg.optim_wrapper)
    wrapper.pop('dtype', None)
    wrapper['type'] = 'OptimWrapper'
    if dtype != 'float32':
        wrapper.update(type='AmpOptimWrapper', dtype=dtype)
    given: tuple = (num_images, size, num_classes)
    if scope == 'mmpretrain':
        views = getattr(model.data_preprocessor, 'num_views', 1)
        make: Callable[..., Batch] = partial(cls_batch, *given, views)
    else:
        make = partial(seg_batch, *given)
    return Trained(model, build_optim_wrapper(model, wrapper), make)


@contextlib.contextmanager
def kernels_off() -> Iterator[None]:
    before = os.environ.get(SWITCH)
    os.environ[SWITCH] = '0'
    try:
        yield
    finally:
        del os.environ[SWITCH]
        if before is not None:
            os.environ[SWITCH] = before


def take_step(trained: Trained, batch: Batch) -> None:
    trained.model.train_step(batch, trained.wrapper)
    # What mmpaco.PaCoQueueHook does in a run.
    for module in trained.model.modules():
        if isinstance(module, EmbeddingQueue):
            module.append(*module.take_staged())
        elif hasattr(module, 'end_iteration'):
            module.end_iteration()


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
