import argparse

from mmpaco.analysis.view_picture import draw_views
from mmpaco.runner.tool_arguments import picture
from mmpaco.runner.tool_ending import run_tool


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Draw images and what the training pipeline of a config '
        'makes of them'
    )
    parser.add_argument(
        'config',
        metavar='CONFIG',
        help='path of a config, or of a file of configs/_base_/pipelines',
    )
    parser.add_argument(
        'out', type=picture, metavar='OUT', help='PNG or JPEG to write'
    )
    parser.add_argument(
        '--images',
        nargs='+',
        default=(),
        help='image files (default: some of the training set)',
    )
    parser.add_argument(
        '--num-images',
        type=int,
        default=3,
        help='images of the training set (default: %(default)s)',
    )
    parser.add_argument(
        '--draws',
        type=int,
        default=3,
        help='draws of each view (default: %(default)s)',
    )
    parser.add_argument(
        '--size',
        type=int,
        help='side in pixels to which the middle of each image file is '
        'resized first (32 for CIFAR)',
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='default: %(default)s'
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    draw_views(
        args.config,
        args.out,
        args.images,
        args.num_images,
        args.draws,
        args.size,
        args.seed,
    )


if __name__ == '__main__':
    run_tool(main)
