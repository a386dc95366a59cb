"""The steps of gpu.sh that are no benchmark of their own."""

import argparse
import json
import os
from functools import partial
from pathlib import Path
from typing import Optional

import torch
from gpu_card import print_ceilings, print_positives, print_versions
from gpu_kernels import CASES, compile_all, compile_case
from loss_device_table import print_ratios

from mmpaco.runner.tool_arguments import known_device, whole_number
from mmpaco.runner.tool_ending import run_tool

# The longest kernels of a trace that are named.
NAMED = 12


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    steps = parser.add_subparsers(dest='step', required=True)
    for name, told in (
        ('card', 'versions and ceilings'),
        ('positives', 'three ways of sums over classes'),
        ('kernels', 'compile the kernels in parallel'),
        ('trace', 'launches and gaps of a training step'),
    ):
        step = steps.add_parser(name, help=told)
        step.add_argument(
            '--device',
            type=known_device,
            default='cuda' if torch.cuda.is_available() else 'cpu',
            help='device (default here: %(default)s)',
        )
        step.add_argument(
            '--rows',
            type=partial(whole_number, least=2),
            default=8192,
            help='rows N (default: %(default)s)',
        )
        step.add_argument(
            '--repeats',
            type=whole_number,
            default=20,
            help='timed calls (default: %(default)s)',
        )
        if name == 'kernels':
            step.add_argument('--case', type=int, choices=range(len(CASES)))
        if name == 'trace':
            step.add_argument('config', help='a config with GPaCo')
            step.add_argument(
                '--size', type=whole_number, nargs=2, default=(512, 512)
            )
            step.add_argument('--batch', type=whole_number, default=4)
            step.add_argument('--out', type=Path, help='a trace for a browser')
    tables = steps.add_parser('tables', help='the tables of a run')
    tables.add_argument('folder', type=Path, help='where its results are')
    return parser.parse_args()


def trace(args: argparse.Namespace) -> None:
    """Tell of launches and gaps of a step, with kernels and without."""
    from measure import is_cuda, kernels_off, work_of
    from torch.profiler import ProfilerActivity, profile
    from train_step_models import NEEDS, build, take_step

    from mmpaco.runner.config_files import read_config

    cfg = read_config(args.config, needs=NEEDS)
    trained = build(cfg, args.batch, args.size, args.device, 'float32')
    activities = [ProfilerActivity.CPU]
    if is_cuda(args.device):
        activities.append(ProfilerActivity.CUDA)

    def one(path: Optional[Path]) -> None:
        for _ in range(2):
            take_step(trained, trained.batch())
        batch = trained.batch()
        with profile(activities=activities) as made:
            take_step(trained, batch)
            if is_cuda(args.device):
                torch.cuda.synchronize()
        if path is not None:
            made.export_chrome_trace(str(path))
        work = work_of(made)
        if work is None:
            print('nothing was launched on a device')
            return
        print(
            f'{work.launches} launches; busy {1000 * work.busy:.1f} of '
            f'{1000 * work.span:.1f} ms, so gaps are '
            f'{100 * (1 - work.busy / work.span):.0f} %'
        )
        for name, took in list(work.longest.items())[:NAMED]:
            print(f'  {1000 * took:8.2f} ms  {name[:90]}')

    print(f'{args.config}: {args.batch} images of {args.size}, with kernels')
    one(args.out)
    print('without kernels')
    with kernels_off():
        one(None)


def tables(folder: Path) -> None:
    """Print the tables of what has been measured so far."""
    path = folder / 'loss_device.jsonl'
    if path.exists():
        print_ratios([json.loads(x) for x in path.read_text().splitlines()])
    path = folder / 'train_step.jsonl'
    if path.exists():
        from train_step_device import print_steps

        for line in path.read_text().splitlines():
            print_steps(json.loads(line))


def main() -> None:
    args = parse_args()
    if args.step == 'tables':
        # Listed, so that a folder that is not there is told.
        os.listdir(args.folder)
        tables(args.folder)
    elif args.step == 'card':
        print_versions(args.device)
        print_ceilings(args.device, args.rows, args.repeats)
    elif args.step == 'positives':
        print_positives(args.device, args.rows, args.repeats)
    elif args.step == 'trace':
        trace(args)
    elif args.case is not None:
        compile_case(args.case, args.rows, args.device)
    else:
        # As many as there are cores, but not more than a card's memory holds.
        processes = min(16, os.cpu_count() or 1)
        failed = compile_all(args.device, args.rows, processes)
        if failed:
            raise RuntimeError(f'{failed} cases of the kernels failed')


if __name__ == '__main__':
    run_tool(main)
