import argparse

from mmengine.fileio import dump
from rich.console import Console

from mmpaco.analysis.ensemble import ensemble_table, evaluate_ensemble
from mmpaco.files import whole_file
from mmpaco.runner.tool_arguments import (
    add_members,
    add_trust,
    check_outputs,
    named_members,
)
from mmpaco.runner.tool_ending import run_tool


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Test the sum of the logits of several classifiers, '
        'measured by the test_evaluator of the first config',
        usage='%(prog)s [-h] [--out FILE] [--trust] CONFIG CHECKPOINT '
        '[CONFIG CHECKPOINT ...] [--names NAME ...]',
    )
    add_members(parser)
    parser.add_argument(
        '--out', metavar='FILE', help='pickle of the predictions to write'
    )
    add_trust(parser)
    args = parser.parse_args()
    args.members = named_members(parser, args)
    return args


def main() -> None:
    args = parse_args()
    members = list(args.members.values())
    check_outputs([args.out], sum(members, ()))
    found = evaluate_ensemble(members, args.trust)
    table = ensemble_table(found, list(args.members))
    # A figure is never cut off, in a pipe or in a narrow terminal.
    least = Console(width=1000).measure(table).minimum
    Console(width=max(Console().width, least)).print(table)
    if args.out:
        with whole_file(args.out) as part:
            dump([x.to_dict() for x in found.samples], part, file_format='pkl')


if __name__ == '__main__':
    run_tool(main)
