"""Time the loss with its gradients, and measure its memory.

All variants of a case take turns in one process, so that what else the machine
does meets them alike. Rows, logits and labels are random. The variants:

tiled    the loss
dense    the loss with impl='dense', which holds all pairs at once
floor    only the matrix products of all pairs, into memory that is there
pml      SupConLoss of pytorch-metric-learning
lightly  NTXentLoss of lightly, with the anchors as two views of N / 2 images

The last two do less, with other values: they have no centers, and lightly
knows one positive of an anchor instead of a class. They are timed on pixels
only. What holds all pairs is left out where one such matrix is too large.
"""

import argparse
import csv
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional

import torch
from loss_picture import plot
from measure import peak_bytes, seconds
from rich import box
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn.functional import normalize

from mmpaco.losses import paco_loss

WIDTH = 128
# Of one float32 matrix of all pairs. Peers hold up to 12 of its size.
LARGEST_MATRIX = 512 * 2**20
Row = dict[str, Any]
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


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--cases',
        nargs='+',
        choices=list(CASES),
        default=list(CASES),
        help='pixels: anchors against each other; queue: also against '
        f'{CASES["queue"].extra_rows} more rows (default: both)',
    )
    parser.add_argument(
        '--sizes',
        type=partial(whole_number, least=2),
        nargs='+',
        metavar='N',
        help='anchors (default: '
        + '; '.join(f'{c.name} {_listed(c.sizes)}' for c in CASES.values())
        + ')',
    )
    parser.add_argument(
        '--classes',
        type=whole_number,
        nargs='+',
        metavar='C',
        help='classes (default: '
        + '; '.join(f'{c.name} {_listed(c.classes)}' for c in CASES.values())
        + ')',
    )
    parser.add_argument(
        '--repeats',
        type=whole_number,
        default=7,
        help='timed rounds (default: %(default)s)',
    )
    parser.add_argument(
        '--device',
        type=known_device,
        default='cuda' if torch.cuda.is_available() else 'cpu',
        help='cpu, cuda or cuda:1 (default here: %(default)s)',
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('work_dirs/benchmarks'),
        metavar='DIR',
        help='where loss.csv and loss.png go (default: %(default)s)',
    )
    return parser.parse_args()


def _listed(values: Sequence[int]) -> str:
    return ' '.join(str(x) for x in values)


def whole_number(text: str, least: int = 1) -> int:
    if text.isdecimal() and int(text) >= least:
        return int(text)
    raise argparse.ArgumentTypeError(
        f'expected a whole number of at least {least}, got {text!r}'
    )


def known_device(text: str) -> str:
    try:
        device = torch.device(text)
    except RuntimeError:
        device = torch.device('meta')
    if device.type == 'cpu':
        return text
    found = torch.cuda.device_count()
    if device.type == 'cuda' and (device.index or 0) < found:
        return text
    raise argparse.ArgumentTypeError(
        f'expected cpu or one of {found} CUDA devices, got {text!r}'
    )


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


def extra_mib(step: Callable[[], Any], device: str) -> Optional[float]:
    """Peak of a step, without the gradients that it is to return."""
    if not isinstance(step, Step):
        return None
    returned = sum(x.nbytes for x in step.inputs)
    return (peak_bytes(step, device) - returned) / 2**20


def measure(
    case: Case,
    N: int,
    C: int,
    peers: Mapping[str, PairLoss],
    repeats: int,
    device: str,
) -> list[Row]:
    """Measure all variants at one size; a row of the results for each."""
    steps = make_steps(case, make_inputs(case, N, C, device), peers)
    times: dict[str, list[float]] = {name: [] for name in steps}
    # The first round warms up.
    for i in range(repeats + 1):
        for name, step in steps.items():
            took = seconds(step, device)
            if i > 0:
                times[name].append(1000 * took)
    medians = {name: statistics.median(x) for name, x in times.items()}
    rows = []
    for name, step in steps.items():
        row = {
            'case': case.name,
            'N': N,
            'C': C,
            'M': case.extra_rows,
            'variant': name,
            'median_ms': medians[name],
            'min_ms': min(times[name]),
            'max_ms': max(times[name]),
            'floor_ratio': None,
            'dense_speedup': None,
            'memory_mib': extra_mib(step, device),
            'scaling': None,
        }
        if 'floor' in medians:
            row['floor_ratio'] = medians[name] / medians['floor']
            row['dense_speedup'] = medians['dense'] / medians[name]
        rows.append(row)
    return rows


def run_case(case: Case, args: argparse.Namespace) -> Iterator[Row]:
    peers = load_peers(case.temperature) if case.name == 'pixels' else {}
    sizes = sorted(set(args.sizes or case.sizes))
    for N in sizes:
        if matrix_bytes(case, N) > LARGEST_MATRIX:
            print(
                f'{case.name}, N = {N}: only tiled; a matrix of all pairs '
                f'takes {matrix_bytes(case, N) / 2**20:.0f} MiB'
            )
    for C in sorted(set(args.classes or case.classes)):
        for N in sizes:
            # It may take minutes.
            print(f'{case.name}, N = {N}, C = {C} ...', file=sys.stderr)
            yield from measure(case, N, C, peers, args.repeats, args.device)


def add_scaling(rows: Sequence[Row]) -> None:
    """Divide times by those of the next smaller N."""
    smaller: dict[tuple, float] = {}
    for row in rows:
        key = row['case'], row['C'], row['variant']
        if key in smaller:
            row['scaling'] = row['median_ms'] / smaller[key]
        smaller[key] = row['median_ms']


def scaling_line(case: Case, rows: Sequence[Row]) -> str:
    """Tell what the last step in N costs."""
    *_, before, N = sorted({row['N'] for row in rows})
    found = ', '.join(
        f'{row["scaling"]:.1f} (C = {row["C"]})'
        for row in rows
        if row['variant'] == 'tiled' and row['N'] == N
    )
    pairs = matrix_bytes(case, N) / matrix_bytes(case, before)
    return (
        f'tiled, N = {before} to {N}: {found} times the time for {pairs:.1f} '
        'times the pairs'
    )


def make_table(case: Case, rows: Sequence[Row]) -> Table:
    contrasts = f' and {case.extra_rows} more rows' if case.extra_rows else ''
    table = Table(
        title=f'{case.name}: N anchors against each other{contrasts}',
        caption='Loss and gradients: median (least to most), ratio to the '
        'bare products, how many times faster than dense, and peak memory '
        'beyond inputs and gradients.',
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        title_justify='left',
        caption_justify='left',
    )
    table.add_column('C', justify='right')
    table.add_column('N', justify='right')
    table.add_column('variant')
    for heading in ('ms', '(least to most)', '/ floor', 'faster', 'MiB'):
        table.add_column(heading, justify='right', no_wrap=True)
    for _, group in groupby(rows, lambda row: (row['C'], row['N'])):
        for i, row in enumerate(group):
            table.add_row(
                # Once for all variants.
                *(str(row[x]) if i == 0 else '' for x in ('C', 'N')),
                row['variant'],
                short(row['median_ms']),
                f'({short(row["min_ms"])} to {short(row["max_ms"])})',
                short(row['floor_ratio']),
                short(row['dense_speedup']),
                short(row['memory_mib']),
            )
        table.add_section()
    return table


def short(value: Optional[float]) -> str:
    """Write three digits, or all of a larger number."""
    if value is None:
        return ''
    return f'{value:.0f}' if value >= 1000 else f'{value:#.3g}'.rstrip('.')


def write_csv(rows: Sequence[Row], path: Path) -> None:
    with path.open('w', newline='') as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        for row in rows:
            writer.writerow(
                {
                    key: f'{x:.6g}' if isinstance(x, float) else x
                    for key, x in row.items()
                }
            )


def main() -> None:
    args = parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    setting = (
        f'{args.device}, torch {torch.__version__}, '
        f'threads: {torch.get_num_threads()}, rounds: {args.repeats}'
    )
    print(f'Loss on {setting}')
    rows: list[Row] = []
    for name in dict.fromkeys(args.cases):
        rows += run_case(CASES[name], args)
    add_scaling(rows)
    console = Console(highlight=False)
    for name, group in groupby(rows, lambda row: row['case']):
        found = list(group)
        console.print()
        console.print(make_table(CASES[name], found))
        if len({row['N'] for row in found}) > 1:
            console.print(scaling_line(CASES[name], found))
    write_csv(rows, args.out / 'loss.csv')
    plot(rows, setting, args.out / 'loss.png')
    # By rich a long path would be broken in two.
    print(f'\nwritten: {args.out / "loss.csv"}, {args.out / "loss.png"}')


if __name__ == '__main__':
    main()
