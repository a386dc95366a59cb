"""Find where a training step of a classification config goes, by part.

The runner is that of the config, with its hooks, and takes its own steps;
only what it would validate or save is left out. A part is counted without
those inside of it: the loader without the transforms. On a processor the
seconds are those in which it works, of all threads together; on a CUDA device
they are those of the device, by events, beside those of the host.

With --against or --against-options a second config takes its steps in turn,
from the same seed: the same batches, and the same weights at first. The last
line tells whether its losses stay the same.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import torch
from loss_table import short
from mmengine.config import Config
from part_clock import medians
from train_parts_runner import NEEDS, Variant, on_noise, take_turns

from mmpaco.runner.config_files import read_config
from mmpaco.runner.tool_arguments import KeyValues, whole_number
from mmpaco.runner.tool_ending import run_tool

# Of a step, what is told by its name.
LEAST_SHARE, SMALL = 0.001, 'smaller parts'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='a config of mmpretrain')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=KeyValues,
        default={},
        metavar='KEY=VALUE',
        help='settings to be changed, in both configs',
    )
    parser.add_argument(
        '--against', metavar='CONFIG', help='the second (default: the first)'
    )
    parser.add_argument(
        '--against-options',
        nargs='+',
        action=KeyValues,
        default={},
        metavar='KEY=VALUE',
        help='settings to be changed in the second alone',
    )
    parser.add_argument(
        '--iters',
        type=whole_number,
        default=10,
        help='timed steps of each (default: %(default)s)',
    )
    parser.add_argument(
        '--warm-ups',
        type=whole_number,
        default=3,
        help='steps before them, whose losses count (default: %(default)s)',
    )
    parser.add_argument(
        '--workers',
        type=lambda text: whole_number(text, 0),
        default=0,
        help='processes that load images (default: none, so that transforms '
        'are seen)',
    )
    parser.add_argument(
        '--noise',
        type=whole_number,
        nargs=2,
        metavar=('H', 'W'),
        help='train on noise of this size, so that no images are needed',
    )
    parser.add_argument(
        '--out',
        type=Path,
        metavar='FILE',
        help='add a line of JSON to a file, with all losses',
    )
    return parser.parse_args()


def read(
    args: argparse.Namespace, path: str, options: dict, folder: str
) -> Config:
    cfg = read_config(path, 'mmpretrain', NEEDS)
    cfg.merge_from_dict({**args.cfg_options, **options})
    cfg.train_dataloader.num_workers = args.workers
    cfg.train_dataloader.persistent_workers = args.workers > 0
    if args.noise:
        on_noise(cfg, args.noise, folder)
    return cfg


def print_parts(rows: list[dict[str, Any]]) -> None:
    """Print the seconds of each part, of one config or of two."""
    columns = []
    for i, row in enumerate(rows):
        mark = '' if i == 0 else ' 2'
        for where in ('card', 'host'):
            if row[where] is not None:
                name = where if row['card'] is not None else 'ms'
                columns.append((name + mark, dict(row[where])))
    first = columns[0][1]
    largest: dict[str, float] = {}
    for _, found in columns:
        for name, took in found.items():
            largest[name] = max(largest.get(name, 0), took / found['step'])
    # Most hooks do nothing that is seen.
    names = [x for x, share in largest.items() if share >= LEAST_SHARE]
    few = set(largest) - set(names)
    for _, found in columns:
        found[SMALL] = sum(found.get(x, 0) for x in few)
    names = sorted(names, key=lambda x: -first.get(x, 0))
    names.remove('step')
    heads = [columns[0][0], '%', *(x for x, _ in columns[1:])]
    if len(rows) > 1:
        heads.append('/ first')
    print(f'{"":24}' + ''.join(f'{x:>10}' for x in heads))
    for name in (*names, SMALL, 'step'):
        values = [found.get(name, 0.0) for _, found in columns]
        cells = [
            short(1000 * values[0]),
            f'{100 * values[0] / first["step"]:.1f}',
        ]
        cells += [short(1000 * x) for x in values[1:]]
        if len(rows) > 1:
            second = values[len(values) // 2]
            cells.append(f'{second / values[0]:.3f}' if values[0] else '')
        print(f'{name:24}' + ''.join(f'{x:>10}' for x in cells))


def told_losses(first: Variant, second: Variant) -> dict[str, Any]:
    """Compare the losses of two configs, step by step."""
    pairs = list(zip(first.losses, second.losses))
    apart = [abs(a - b) for a, b in pairs]
    same = sum(a == b for a, b in zip(first.batches, second.batches))
    result = dict(
        steps=len(pairs),
        same_batches=same,
        largest=max(apart),
        mean=sum(apart) / len(apart),
        begin=[first.losses[0], second.losses[0]],
        end=[first.losses[-1], second.losses[-1]],
    )
    print(
        f'losses of {len(pairs)} steps, {same} of them of the same batches: '
        f'{result["largest"]:.3g} apart at most and {result["mean"]:.3g} on '
        f'average, where they go from {pairs[0][0]:.4g} to {pairs[-1][0]:.4g} '
        f'and from {pairs[0][1]:.4g} to {pairs[-1][1]:.4g}'
    )
    return result


def main() -> None:
    args = parse_args()
    with tempfile.TemporaryDirectory() as folder:
        given = [(args.config, {})]
        if args.against or args.against_options:
            given.append((args.against or args.config, args.against_options))
        if args.out is not None:
            # Told before the work.
            args.out.open('a').close()
        variants = [
            Variant(read(args, *one, folder), f'{folder}/{i}')
            for i, one in enumerate(given)
        ]
        take_turns(variants, args.warm_ups, args.iters)
        rows = [
            dict(
                config=path,
                options={**args.cfg_options, **options},
                host=medians([x.host for x in one.steps]),
                card=medians([x.card for x in one.steps])
                if one.steps[0].card
                else None,
                launches=one.work and one.work.launches,
                busy=one.work and one.work.busy,
                losses=one.losses,
            )
            for (path, options), one in zip(given, variants)
        ]
    result: dict[str, Any] = dict(
        device=variants[0].device_name,
        torch=torch.__version__,
        threads=torch.get_num_threads(),
        images=variants[0].cfg.train_dataloader.batch_size,
        workers=args.workers,
        iters=args.iters,
        variants=rows,
    )
    print(
        f'{args.config}: {result["images"]} images in a step on '
        f'{result["device"]}, torch {result["torch"]}, {result["threads"]} '
        f'threads; medians of {args.iters} steps in ms'
    )
    print_parts(rows)
    for i, row in enumerate(rows):
        if row['launches'] is not None:
            print(
                f'config {i + 1}: {row["launches"]} launches in a step, which '
                f'keep the device busy for {1000 * row["busy"]:.1f} ms'
            )
    if len(variants) > 1:
        result['losses'] = told_losses(*variants)
    if args.out is not None:
        with args.out.open('a') as file:
            file.write(json.dumps(result) + '\n')


if __name__ == '__main__':
    run_tool(main)
