import argparse
from pathlib import Path

from mmpaco.converters.cifar100_lt import write_cifar100_lt
from mmpaco.runner.tool_ending import run_tool


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Write long-tailed lists of CIFAR-100 that leave images '
        'to validate, and their images as PNG'
    )
    parser.add_argument(
        'source', help='folder cifar-100-python, unpacked from its archive'
    )
    parser.add_argument(
        '--out',
        default='data/cifar100_lt',
        help='folder to write to (default: %(default)s)',
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    written = write_cifar100_lt(args.source, args.out)
    for name, images in written.items():
        print(f'{Path(args.out, name)}: {images} images')


if __name__ == '__main__':
    run_tool(main)
