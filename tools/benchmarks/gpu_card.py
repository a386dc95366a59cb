"""What a card is, and what it can do: the ceilings of the loss."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from itertools import product
from typing import Any, Callable

import torch
from loss_device import setting
from measure import device_work, is_cuda, times
from torch import Tensor
from torch.nn.functional import normalize, one_hot

PACKAGES = ('torch', 'triton', 'numpy', 'pytest')
STACK = ('mmengine', 'mmcv', 'mmsegmentation', 'mmpretrain')


def print_versions(device: str) -> None:
    """Print what the figures below are of."""
    print(f'Python {platform.python_version()}, {sys.executable}')
    names = [f'{x}{y}' for y in STACK for x in ('', 'onedl-')]
    for name in (*PACKAGES, *names):
        try:
            print(f'{name} {version(name)}')
        except PackageNotFoundError:
            continue
    if not is_cuda(device):
        print('device: cpu')
        return
    found = torch.cuda.get_device_properties(device)
    print(
        f'device: {found.name}, capability {found.major}.{found.minor}, '
        f'{found.multi_processor_count} multiprocessors, '
        f'{found.total_memory / 2**30:.0f} GiB; CUDA {torch.version.cuda}'
    )


def print_ceilings(device: str, rows: int, repeats: int) -> None:
    """Print rates of a copy and of bare products of N x N x 128."""
    big = torch.empty(rows * rows, device=device)
    other = torch.empty_like(big)
    found = times(lambda i: other.copy_(big), device, repeats)
    print(f'copy: {2 * big.nbytes / found.median / 1e12:.2f} TB/s')
    for name, dtype, allows_tf32 in (
        ('float32', torch.float32, False),
        ('TF32', torch.float32, True),
        ('float16', torch.float16, False),
    ):
        sets = [
            torch.randn(rows, 128, device=device).to(dtype) for _ in range(3)
        ]
        out = torch.empty(rows, rows, device=device, dtype=dtype)

        def run(i: int, sets: list = sets, out: Tensor = out) -> None:
            torch.mm(sets[i % 3], sets[(i + 1) % 3].t(), out=out)

        with setting(True, allows_tf32):
            found = times(run, device, repeats)
        rate = 2 * rows * rows * 128 / found.median / 1e12
        print(
            f'product of {rows} x {rows} x 128 in {name}: '
            f'{1e6 * found.median:.0f} us, {rate:.1f} TFLOP/s'
        )


def _select(sums: Tensor, classes: Tensor) -> Tensor:
    return sums.index_select(0, classes)


def _index(sums: Tensor, classes: Tensor) -> Tensor:
    return sums[classes]


def _product(sums: Tensor, classes: Tensor) -> Tensor:
    return one_hot(classes, len(sums)).to(sums.dtype) @ sums


def print_positives(device: str, rows: int, repeats: int) -> None:
    """Time three ways to give each row the sum of its class, with gradients.

    The first is that of the losses. Equal indices may be taken in turn, so
    labels are uniform, and half and most of them of one class.
    """
    print(f'class sums of {rows} rows, D = 128, us (card alone):')
    ways: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        'index_select': _select,
        'sums[...]': _index,
        'one-hot product': _product,
    }
    for classes, share in product((19, 150), (0.0, 0.5, 0.9)):
        labels = torch.randint(classes, (rows,), device=device)
        labels[torch.rand(rows, device=device) < share] = 0
        made = normalize(torch.randn(rows, 128, device=device), dim=1)
        made.requires_grad_()
        told = []
        for name, way in ways.items():

            def run(
                i: int,
                way: Callable[..., Tensor] = way,
                labels: Tensor = labels,
                made: Tensor = made,
                classes: int = classes,
            ) -> Any:
                sums = made.new_zeros(classes, 128)
                sums = sums.index_add(0, labels, made)
                own = (way(sums, labels) * made).sum()
                return torch.autograd.grad(own, made)

            found = times(run, device, repeats)
            work = device_work(lambda run=run: run(0), device)
            alone = '' if work is None else f' ({1e6 * work.busy:.0f})'
            told.append(f'{name} {1e6 * found.median:.0f}{alone}')
        print(f'  C = {classes}, {share:.0%} more in one: ' + ', '.join(told))
