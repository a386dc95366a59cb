import argparse
import sys

from mmpaco.converters.image_list_check import check_image_list
from mmpaco.runner.tool_ending import run_tool


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Check a list of images ("relative/path label" in each '
        'line) and that each image decodes. All problems are reported, and '
        'the exit status is 1 if there are any.'
    )
    parser.add_argument('list', metavar='LIST', help='path of the list')
    parser.add_argument(
        '--root', required=True, help='folder from which the paths start'
    )
    parser.add_argument(
        '--num-classes',
        type=int,
        help='labels must be smaller, and every class have an image',
    )
    parser.add_argument(
        '--nproc', type=int, help='processes (default: one for each core)'
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    report = check_image_list(
        args.list, args.root, args.num_classes, args.nproc
    )
    print(report)
    sys.exit(bool(report.listed.problems))


if __name__ == '__main__':
    run_tool(main)
