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

On a CUDA device it is another table: tiles, kernels in three products and in
one, the dense form, and both floors, in float32 and in TF32, of the contrast
alone and of whole losses, of one image and of four in one call; by events of
the device, with what is aimed at. Each figure is written as soon as it is
measured.
"""

import argparse
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, Callable, Optional

import torch
from loss_device import device_cases, measure_on_device
from loss_device_table import print_ratios
from loss_picture import plot
from loss_table import make_table, scaling_line, write_csv
from loss_variants import (
    CASES,
    LARGEST_MATRIX,
    Case,
    PairLoss,
    Step,
    load_peers,
    make_inputs,
    make_steps,
    matrix_bytes,
)
from measure import is_cuda, peak_bytes, seconds
from rich.console import Console

from mmpaco.runner.tool_arguments import known_device, whole_number
from mmpaco.runner.tool_ending import run_tool

Row = dict[str, Any]


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
        help='where loss.csv and loss.png go, or loss_device.jsonl '
        '(default: %(default)s)',
    )
    parser.add_argument(
        '--table',
        choices=('host', 'device'),
        help='which table (default: what the device is)',
    )
    return parser.parse_args()


def _listed(values: Sequence[int]) -> str:
    return ' '.join(str(x) for x in values)


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


def main() -> None:
    args = parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    setting = (
        f'{args.device}, torch {torch.__version__}, '
        f'threads: {torch.get_num_threads()}, rounds: {args.repeats}'
    )
    print(f'Loss on {setting}')
    table = args.table or ('device' if is_cuda(args.device) else 'host')
    if table == 'device':
        print_device_table(args)
    else:
        print_host_table(args, setting)


def print_device_table(args: argparse.Namespace) -> None:
    if is_cuda(args.device):
        print(torch.cuda.get_device_name(args.device))
    cases = device_cases(
        list(dict.fromkeys(args.cases)), args.sizes, args.classes
    )
    path = args.out / 'loss_device.jsonl'
    rows = measure_on_device(list(cases), args.repeats, args.device, path)
    print()
    print_ratios(rows)
    print(f'\nwritten: {path}')


def print_host_table(args: argparse.Namespace, setting: str) -> None:
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
    run_tool(main)
