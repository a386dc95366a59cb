"""Put a method on every config that mmpretrain and mmseg ship.

What comes of it is in ``docs/stock_configs.md``. A run that was ended goes on
where it was; ``--fresh`` begins anew.
"""

import argparse
import random
from pathlib import Path

from stock_check import stock_configs
from stock_record import Key, Record
from stock_report import check_page, families, write_report
from stock_runs import check_all, step

from mmpaco.compat import installed_stack
from mmpaco.methods import find_method, methods
from mmpaco.runner.tool_arguments import whole_number
from mmpaco.runner.tool_ending import run_tool

ROOT = Path(__file__).resolve().parents[2]
RECORD = ROOT / 'work_dirs' / 'stock_configs' / 'record.jsonl'
TOOLBOXES = ('mmpretrain', 'mmseg')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--method', default='gpaco')
    parser.add_argument(
        '--toolbox', choices=TOOLBOXES, help='only its configs'
    )
    parser.add_argument(
        '--sample',
        type=whole_number,
        metavar='N',
        help='only so many configs, drawn at random, the same each time',
    )
    parser.add_argument('--jobs', type=whole_number, default=1)
    parser.add_argument(
        '--no-steps', action='store_true', help='train for no iteration'
    )
    parser.add_argument('--record', type=Path, default=RECORD)
    parser.add_argument('--fresh', action='store_true')
    parser.add_argument(
        '--report', type=Path, metavar='FILE', help='write the tables to it'
    )
    return parser.parse_args()


def chosen(args: argparse.Namespace) -> list[str]:
    """Name the configs that are asked for."""
    names: list[str] = []
    for toolbox in [args.toolbox] if args.toolbox else TOOLBOXES:
        if any(x.name == args.method for x in methods(toolbox)):
            names += stock_configs(toolbox)
    if not names:
        # This says which methods there are.
        find_method(args.method, args.toolbox or TOOLBOXES[0])
    if args.sample is not None and args.sample < len(names):
        names = sorted(random.Random(0).sample(names, args.sample))
    return names


def main() -> None:
    args = parse_args()
    if args.report:
        check_page(args.report)
    names = chosen(args)
    if args.fresh:
        args.record.unlink(missing_ok=True)
    record = Record(args.record)
    stack = installed_stack().family

    def key(kind: str, config: str) -> Key:
        return Key(kind, stack, args.method, config)

    left = [x for x in names if key('check', x) not in record]
    for i, (name, entry) in enumerate(check_all(args.method, left, args.jobs)):
        record.add(key('check', name), entry)
        told = entry.get('reason', '')
        print(f'{i + 1}/{len(left)} {name}: {entry["status"]} {told}')
    checks = [record.entries[key('check', x)] for x in names]
    if not args.no_steps:
        for name in families(checks):
            if key('step', name) not in record:
                entry = step(args.method, name)
                record.add(key('step', name), entry)
                print(f'step of {name}: {entry}', flush=True)
    if args.report:
        write_report(record, args.report)
    failed = [x for x in checks if x['status'] == 'failed']
    if failed:
        told = ', '.join(x['config'] for x in failed)
        raise RuntimeError(f'{len(failed)} configs failed: {told}')


if __name__ == '__main__':
    run_tool(main)
