import argparse
from pathlib import Path

from mmpaco.converters.tiny_imagenet100 import write_tiny_imagenet100
from mmpaco.runner.tool_ending import run_tool


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Write the long-tailed lists of 100 classes of '
        'Tiny-ImageNet, and links to its images'
    )
    parser.add_argument(
        'source', help='folder tiny-imagenet-200, unpacked from its archive'
    )
    parser.add_argument(
        '--out',
        default='data/tiny_imagenet100',
        help='folder to write to (default: %(default)s)',
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    written = write_tiny_imagenet100(args.source, args.out)
    for name, images in written.items():
        print(f'{Path(args.out, name)}: {images} images')


if __name__ == '__main__':
    run_tool(main)
