"""Compiles the kernels for what the benchmarks use, in several processes."""

import subprocess
import sys
import time
from itertools import product
from pathlib import Path

import torch
from measure import is_cuda
from torch.nn.functional import normalize

# Channels, products, and what there is beside the anchors: nothing, rows of a
# queue, rows that want a gradient, or a temperature that is not safe.
KINDS = ('own', 'queue', 'trained', 'cold')
CASES = [
    (channels, products, kind)
    for channels, products, kind in product((64, 128, 256), (3, 1), KINDS)
    # Rarely used: of each once.
    if kind not in ('trained', 'cold') or channels == 128
]


def compile_case(index: int, rows: int, device: str) -> None:
    """Run the contrast of a case once, forward and backward."""
    from mmpaco.losses.contrast_triton import contrast

    channels, products, kind = CASES[index]

    def unit(count: int) -> torch.Tensor:
        return normalize(torch.randn(1, count, channels, device=device), dim=2)

    features = unit(rows).requires_grad_()
    trained = [features]
    extra = None if kind == 'own' else unit(rows)
    if extra is not None and kind == 'trained':
        trained.append(extra.requires_grad_())
    out = contrast(
        features,
        extra,
        0.005 if kind == 'cold' else 0.07,
        products,
        kind == 'cold',
    )
    for grad in torch.autograd.grad(out.mean(), trained):
        if not bool(grad.isfinite().all()):
            raise ValueError(f'a gradient is not finite: {CASES[index]}')


def compile_all(device: str, rows: int, processes: int) -> int:
    """Compile all cases, and give the number of those that failed."""
    cases = range(len(CASES) if is_cuda(device) else 1)
    script = Path(__file__).with_name('gpu_steps.py')
    start, waiting, running, failed = time.monotonic(), [*cases], {}, 0
    while waiting or running:
        while waiting and len(running) < processes:
            index = waiting.pop(0)
            running[index] = subprocess.Popen(
                [
                    *(sys.executable, '-W', 'ignore', script, 'kernels'),
                    *('--device', device, '--rows', str(rows)),
                    *('--case', str(index)),
                ]
            )
        for index, process in list(running.items()):
            if process.poll() is None:
                continue
            del running[index]
            if process.returncode:
                failed += 1
                print(f'FAILED: {CASES[index]}', flush=True)
        time.sleep(0.05)
    print(
        f'{len(cases)} cases of the kernels, {failed} failed, in '
        f'{time.monotonic() - start:.0f} s with {processes} processes'
    )
    return failed
