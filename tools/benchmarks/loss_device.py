"""The loss benchmark on a device: tiles, kernels and bare products."""

import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional

import torch
from loss_device_table import print_case
from loss_variants import CASES, bare_products
from measure import device_work, kernels_off, peak_bytes, times
from torch import Tensor
from torch.nn.functional import normalize

from mmpaco.losses import paco_loss
from mmpaco.losses.contrast import contrast_logsumexp
from mmpaco.losses.kernels import kernels_for

# Sets of inputs that take turns, so that none stays in the caches.
ROTATED = 3
SIZES = {'pixels': (2048, 8192), 'queue': (256, 1024)}
CLASSES = {'pixels': 150, 'queue': 1000}


class DeviceCase(NamedTuple):
    """Anchors of one or several images, with more rows and a whole loss.

    Without classes it is the contrast alone.
    """

    images: int
    rows: int
    channels: int
    more: int
    classes: int

    @property
    def temperature(self) -> float:
        return CASES['queue' if self.more else 'pixels'].temperature

    @property
    def alpha(self) -> float:
        return CASES['queue' if self.more else 'pixels'].alpha


def device_cases(
    names: Sequence[str],
    sizes: Optional[Sequence[int]],
    classes: Optional[Sequence[int]],
) -> Iterator[DeviceCase]:
    """Those of docs/performance.md, or of other numbers of anchors."""
    for name in names:
        more = CASES[name].extra_rows
        rows = sorted(set(sizes or SIZES[name]), reverse=True)
        images = (1,) if more else (1, 4)
        for N in rows:
            widths = (128, 64, 256) if N == rows[0] and not more else (128,)
            for D in widths:
                yield DeviceCase(1, N, D, more, 0)
            for B in images[1:]:
                yield DeviceCase(B, N, 128, more, 0)
            for C in sorted(set(classes or [CLASSES[name]])):
                for B in images:
                    yield DeviceCase(B, N, 128, more, C)


@contextlib.contextmanager
def setting(has_kernels: bool, allows_tf32: bool) -> Iterator[None]:
    """Switch kernels and TF32 as a user does."""
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision('high' if allows_tf32 else 'highest')
    try:
        with contextlib.nullcontext() if has_kernels else kernels_off():
            yield
    finally:
        torch.set_float32_matmul_precision(precision)


def _inputs(case: DeviceCase, device: str) -> dict[str, Tensor]:
    def unit(rows: int) -> Tensor:
        made = torch.randn(case.images, rows, case.channels, device=device)
        return normalize(made + 0.5, dim=2)

    def labels(rows: int) -> Tensor:
        shape = (case.images, rows)
        return torch.randint(case.classes, shape, device=device)

    made = dict(features=unit(case.rows).requires_grad_())
    if case.more:
        made['extra_features'] = unit(case.more)
    if case.classes:
        made['labels'] = labels(case.rows)
        made['center_logits'] = torch.randn(
            case.images, case.rows, case.classes, device=device
        ).requires_grad_()
        if case.more:
            made['extra_labels'] = labels(case.more)
            made['class_counts'] = torch.randint(
                1, 1000, (1, case.classes), device=device
            )
    if case.images == 1:
        return {
            name: x.detach()[0].requires_grad_(x.requires_grad)
            for name, x in made.items()
        }
    return made


Run = Callable[[int], Sequence[Tensor]]


def _loss(case: DeviceCase, sets: list, **options: Any) -> Run:
    def run(i: int) -> Sequence[Tensor]:
        given = sets[i % len(sets)]
        if case.classes:
            loss = paco_loss(
                **given,
                alpha=case.alpha,
                temperature=case.temperature,
                **options,
            )
        else:
            loss = contrast_logsumexp(
                given['features'],
                given.get('extra_features'),
                case.temperature,
            ).mean()
        trained = [x for x in given.values() if x.requires_grad]
        return torch.autograd.grad(loss, trained)

    return run


def _floor(case: DeviceCase, sets: list) -> Run:
    products = []
    # Of several images each is another set of inputs already.
    for given in sets[: 1 if case.images > 1 else None]:
        rows, more = given['features'].detach(), given.get('extra_features')
        images = [rows] if case.images == 1 else list(rows)
        products.append([bare_products(image, more) for image in images])

    def run(i: int) -> Sequence[Tensor]:
        for product in products[i % len(products)]:
            product()
        return ()

    return run


class Variant(NamedTuple):
    run: Run
    has_kernels: bool
    allows_tf32: bool


def make_variants(case: DeviceCase, sets: list) -> dict[str, Variant]:
    loss, floor = _loss(case, sets), _floor(case, sets)
    found = {'tiles': Variant(loss, False, False)}
    if kernels_for(sets[0]['features']) is not None:
        found['kernels x3'] = Variant(loss, True, False)
        found['kernels x1'] = Variant(loss, True, True)
    if case.classes:
        dense = _loss(case, sets, impl='dense')
        found['dense'] = Variant(dense, False, False)
    found['floor'] = Variant(floor, False, False)
    found['TF32 floor'] = Variant(floor, False, True)
    return found


def _measure(variant: Variant, repeats: int, device: str) -> dict[str, Any]:
    with setting(variant.has_kernels, variant.allows_tf32):
        found = times(variant.run, device, repeats)
        work = device_work(lambda: variant.run(0), device)
        returned: Sequence[Tensor] = ()

        def run() -> None:
            nonlocal returned
            returned = variant.run(1)

        peak = peak_bytes(run, device)
    return dict(
        median_us=1e6 * found.median,
        least_us=1e6 * found.least,
        most_us=1e6 * found.most,
        host_us=None if found.host is None else 1e6 * found.host,
        device_us=None if work is None else 1e6 * work.busy,
        launches=None if work is None else work.launches,
        memory_mib=(peak - sum(x.nbytes for x in returned)) / 2**20,
    )


def measure_on_device(
    cases: Sequence[DeviceCase], repeats: int, device: str, path: Path
) -> list[dict[str, Any]]:
    """Measure, and write a line of JSON for each variant as soon as it is."""
    rows = []
    with path.open('w') as file:
        for case in cases:
            torch.manual_seed(0)
            sets = [_inputs(case, device) for _ in range(ROTATED)]
            measured = []
            for name, variant in make_variants(case, sets).items():
                row: dict[str, Any] = dict(case._asdict(), variant=name)
                try:
                    row.update(_measure(variant, repeats, device))
                except torch.cuda.OutOfMemoryError as error:
                    print(f'{name} is left out: {error}', file=sys.stderr)
                    torch.cuda.empty_cache()
                    continue
                file.write(json.dumps(row) + '\n')
                file.flush()
                measured.append(row)
            print_case(measured)
            rows += measured
    return rows
