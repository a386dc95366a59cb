"""Compare methods on a config: same data, schedule and seeds, one table."""

import argparse
import os
from pathlib import Path

from mmpaco.analysis.logit_adjustment import best_adjustment
from mmpaco.comparison.compare import Comparison, Request
from mmpaco.comparison.dry_run import estimate, tell, untrainable
from mmpaco.comparison.lock import alone_in
from mmpaco.comparison.outcome import publish
from mmpaco.comparison.selection import plan_trials, select
from mmpaco.runner.tool_arguments import MoreKeyValues, whole_number
from mmpaco.runner.tool_ending import run_tool

TOOLS = Path(__file__).resolve().parent


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog='Called again, it repeats nothing that is finished. '
        'tools/apply_method.py --list lists the methods.',
    )
    parser.add_argument(
        'config',
        metavar='CONFIG',
        help='a path, or mmpretrain::... or mmseg::... for one that the '
        'installed package ships',
    )
    parser.add_argument(
        '--methods',
        nargs='+',
        required=True,
        metavar='METHOD',
        help='what is compared; the first is what times are divided by',
    )
    parser.add_argument(
        '--seeds',
        type=whole_number,
        default=3,
        help='trainings of each method; one shows no spread (default: '
        '%(default)s)',
    )
    parser.add_argument(
        '--gpus',
        type=whole_number,
        default=0,
        help='processes of each training, by dist_train.sh (default: one, '
        'without a launcher)',
    )
    parser.add_argument(
        '--jobs',
        type=whole_number,
        default=2,
        help='trainings at a time (default: %(default)s)',
    )
    parser.add_argument(
        '--set',
        nargs='+',
        action=MoreKeyValues,
        default={},
        metavar='[METHOD.]KEY=VALUE',
        help='settings of all methods or of one, by a dotted key, or by a '
        'short name of the method such as alpha',
    )
    parser.add_argument(
        '--select',
        nargs='+',
        action=MoreKeyValues,
        default={},
        metavar='METHOD.KEY=V1,V2',
        help='settings to be chosen on the validation set, which is cut from '
        'the training set if there is none, and never the test set',
    )
    parser.add_argument(
        '--dry-run',
        action='store_true',
        help='train three iterations of each method, and tell what would be '
        'trained, for how long, and where it is written',
    )
    parser.add_argument(
        '--work-dir',
        type=Path,
        help='where all results go (default: work_dirs/compare/CONFIG-stem)',
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    work_dir = (
        args.work_dir
        or Path('work_dirs/compare')
        / Path(args.config.rpartition('::')[2]).stem
    )
    with alone_in(work_dir):
        compare(args, work_dir)


def compare(args: argparse.Namespace, work_dir: Path) -> None:
    comparison = Comparison(
        Request(
            args.config,
            args.methods,
            work_dir,
            TOOLS,
            seeds=args.seeds,
            settings=args.set,
            jobs=args.jobs,
            threads=threads_of_each(),
            gpus=args.gpus,
        )
    )
    trials = plan_trials(comparison, args.select) if args.select else None
    if args.dry_run:
        comparison.plan()
        found = estimate(comparison)
        tell(comparison, found, trials)
        comparison.check(untrainable(found))
        return
    selection = select(comparison, trials) if trials else None
    comparison.plan()
    comparison.train()
    publish(comparison, best_adjustment, selection)
    comparison.check()


def threads_of_each() -> int:
    text = os.environ.get('OMP_NUM_THREADS') or '1'
    # Those of nested teams come after it.
    first = text.split(',')[0].strip()
    if not first.isdecimal() or int(first) < 1:
        raise ValueError(
            'OMP_NUM_THREADS, the threads of each training, must begin with '
            f'a whole number of at least 1, but got {text!r}'
        )
    return int(first)


if __name__ == '__main__':
    run_tool(
        main,
        'call it again with the same arguments: finished runs are left '
        'alone, and a training goes on from its last checkpoint',
    )
