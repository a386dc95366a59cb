import argparse

from mmpaco.converters.official_checkpoint import convert_checkpoint
from mmpaco.runner.tool_arguments import add_trust
from mmpaco.runner.tool_ending import run_tool


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Convert a checkpoint of the papers' release, for "
        'classification or segmentation, and report what became of every name'
    )
    parser.add_argument('source', metavar='SRC', help='released checkpoint')
    parser.add_argument('target', metavar='DST', help='checkpoint to write')
    parser.add_argument(
        '--config',
        help='config that the checkpoint is for: its model must fit, and '
        'what only trains and it has not is left out',
    )
    parser.add_argument(
        '--drop',
        nargs='+',
        default=(),
        metavar='NAME',
        help='names, or beginnings of names, to leave out',
    )
    add_trust(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    report = convert_checkpoint(
        args.source, args.target, args.config, args.drop, args.trust
    )
    print(report)
    print(args.target)


if __name__ == '__main__':
    run_tool(main)
