"""Install mmpaco on every Python and both stacks, and use it there.

It builds the sdist and the wheel once. Each interpreter that is found gets a
fresh environment for each stack that supports it; the wheel is installed
there with its extra and used, away from the checkout. The table is written
after each of them, the environment removed. Torch is a download of gigabytes
and an environment takes up to 8 GB, one at a time.

It lives in projects since it needs a checkout, interpreters and hours; what
it runs in the environments is in ``uses``, and nothing imports either.
"""

import argparse
import json
import shutil
from pathlib import Path

from packaging_archives import build
from packaging_environments import STACKS, find_interpreter, try_out
from packaging_table import table

from mmpaco.files import write_text
from mmpaco.runner.tool_ending import run_tool

ROOT = Path(__file__).resolve().parents[2]
MINORS = range(9, 14)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--stacks', nargs='+', choices=STACKS, default=STACKS)
    parser.add_argument(
        '--minors',
        nargs='+',
        type=int,
        default=MINORS,
        metavar='N',
        help='only these Pythons, 11 for 3.11; their order is kept',
    )
    parser.add_argument(
        '--out', type=Path, default=ROOT / 'work_dirs' / 'packaging'
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    out = args.out.resolve()
    file = out / 'record.json'
    record = json.loads(file.read_text()) if file.exists() else {'rows': {}}

    def write() -> None:
        write_text(file, json.dumps(record, indent=2) + '\n')
        write_text(out / 'table.md', table(record))

    wheel, record['archives'] = build(ROOT, out / 'build')
    write()
    for stack in args.stacks:
        for minor in args.minors:
            if minor not in STACKS[stack].minors:
                continue
            python = find_interpreter(minor)
            row = f'{stack} 3.{minor}'
            if python is None:
                record['rows'][row] = {'missing': True}
            else:
                folder = out / f'{stack}-3.{minor}'
                record['rows'][row] = try_out(stack, python, wheel, folder)
                shutil.rmtree(folder / 'venv')
            write()
            print(f'{row}: {json.dumps(record["rows"][row])}', flush=True)


if __name__ == '__main__':
    run_tool(main)
