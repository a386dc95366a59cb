"""Normalise the classifier of a checkpoint by the norms of its weights."""

import argparse

from rich.console import Console

from mmpaco.analysis.tau_normalize import TAUS, search_tau, tau_table
from mmpaco.runner.tool_arguments import add_trust
from mmpaco.runner.tool_ending import run_tool


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog='tau is chosen by balanced accuracy on the validation set of '
        'the config; tools/test.py CONFIG OUT then tests what was written.',
    )
    parser.add_argument('config', metavar='CONFIG', help='path of the config')
    parser.add_argument('checkpoint', metavar='CHECKPOINT', help='its weights')
    parser.add_argument('out', metavar='OUT', help='checkpoint to write')
    parser.add_argument(
        '--taus',
        type=float,
        nargs='+',
        default=TAUS,
        metavar='TAU',
        help='powers of the norm to try (default: 0 0.1 ... 1)',
    )
    add_trust(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    search = search_tau(
        args.config, args.checkpoint, args.out, args.taus, args.trust
    )
    Console().print(tau_table(search))
    print(args.out)


if __name__ == '__main__':
    run_tool(main)
