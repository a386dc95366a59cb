"""Train a grid of runs, and write the page that tells of it.

Settings are chosen on the validation list; the test list is only reported.
"""

import argparse
from pathlib import Path

from evidence_description import Description, read_description
from evidence_grid import Grid
from evidence_page import read_page, write_page

from mmpaco.runner.tool_arguments import whole_number
from mmpaco.runner.tool_ending import run_tool

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
RECORDS = HERE / 'records'
GRIDS = sorted(path.stem for path in (HERE / 'grids').glob('*.py'))


def description(name: str) -> Description:
    """Read a description.

    Args:
        name: Name of one in ``grids``, or the path of a file that sets
            ``GRID``.

    Raises:
        argparse.ArgumentTypeError: If there is no such file, or no ``GRID``
            of sense in it.
    """
    path = HERE / 'grids' / f'{name}.py' if name in GRIDS else Path(name)
    if not path.is_file():
        raise argparse.ArgumentTypeError(
            f'there is no grid {name!r}; give one of {", ".join(GRIDS)}, or '
            'the path of a file like those in projects/evidence/grids'
        )
    return read_description(path)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog='Called again, it repeats nothing that is finished, and goes '
        'on with what was stopped.',
    )
    parser.add_argument(
        'grid',
        nargs='?',
        type=description,
        default='tiny_imagenet100',
        help=f'one of {", ".join(GRIDS)}, or the path of a description '
        '(default: %(default)s)',
    )
    parser.add_argument(
        '--seeds', type=whole_number, help='default: those of the grid'
    )
    parser.add_argument(
        '--jobs',
        type=whole_number,
        default=2,
        help='trainings at a time, on a GPU each or all on one, or on one '
        'core each (default: %(default)s)',
    )
    parser.add_argument(
        '--work-dir',
        type=Path,
        help='checkpoints and logs go here (default: that of the grid)',
    )
    parser.add_argument(
        '--report',
        action='store_true',
        help='train nothing, only write tables and pictures of what there is',
    )
    args = parser.parse_args()
    told: Description = args.grid
    # Told before hours of training, not after them.
    read_page(ROOT / told.page, told.tables)
    seeds = args.seeds or told.seeds
    grid = Grid(
        ROOT / told.configs,
        ROOT / 'tools',
        args.work_dir or told.work_dir,
        RECORDS / told.name,
        args.jobs,
        told.work_dir,
    )
    if not args.report:
        grid.train(told.trials())
    chosen = grid.choose(told.trials())
    jobs = told.finals(chosen, seeds)
    if not args.report:
        grid.train(jobs)
    again = told.again(grid.best(told.contest()), seeds)
    if not args.report:
        grid.train(again)
    write_page(told, grid, chosen, [*jobs, *again], ROOT)


if __name__ == '__main__':
    run_tool(main, 'call it again: finished runs are not repeated')
