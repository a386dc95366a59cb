"""Normalise the classifier of a checkpoint by the norms of its weights."""

import argparse

from rich.console import Console

from mmpaco.cls.tau_normalize import TAUS, convert, report


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
    parser.add_argument(
        '--trust',
        action='store_true',
        help='read a checkpoint that holds more than weights, and so run the '
        'code that is in it',
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    search = convert(
        args.config, args.checkpoint, args.out, args.taus, args.trust
    )
    Console().print(report(search))
    print(args.out)


if __name__ == '__main__':
    main()
