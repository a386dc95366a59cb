import argparse

from mmpaco.analysis.class_values_picture import plot_class_values
from mmpaco.analysis.test_results import class_accuracy, read_results
from mmpaco.runner.loaded_runner import training_counts
from mmpaco.runner.tool_arguments import (
    add_trust,
    check_outputs,
    named_file,
    picture,
)
from mmpaco.runner.tool_ending import run_tool


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Draw the accuracy of each class against its training '
        'images, for several tests in one picture'
    )
    parser.add_argument(
        'config', metavar='CONFIG', help='config with the training set'
    )
    parser.add_argument(
        'results',
        nargs='+',
        type=named_file,
        metavar='NAME=FILE',
        help='what tools/test.py --out FILE.pkl wrote; files of one name are '
        'averaged',
    )
    parser.add_argument(
        '--picture', type=picture, required=True, help='PNG file to write'
    )
    parser.add_argument(
        '--bounds',
        type=int,
        nargs=2,
        metavar=('FEW', 'MANY'),
        default=(20, 100),
        help='few-shot classes have fewer, many-shot classes more training '
        'images (default: 20 100)',
    )
    add_trust(parser, 'a pickle')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    check_outputs(
        [args.picture], (args.config, *(path for _, path in args.results))
    )
    counts = training_counts(args.config)
    methods = {}
    for name, path in args.results:
        accuracy = class_accuracy(read_results(path, args.trust), len(counts))
        methods.setdefault(name, []).append((counts, accuracy))
    plot_class_values(methods, args.picture, args.bounds)
    print(args.picture)


if __name__ == '__main__':
    run_tool(main)
