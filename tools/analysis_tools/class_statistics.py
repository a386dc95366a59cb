import argparse
from pathlib import Path

from mmpaco.analysis.class_statistics import (
    class_statistics,
    dataset_from_config,
)
from mmpaco.analysis.class_statistics_picture import plot_class_statistics
from mmpaco.runner.tool_arguments import check_outputs, picture
from mmpaco.runner.tool_ending import run_tool


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Count images and pixels of each class in a dataset of '
        'an mmseg config, and check that its files are what training takes '
        'them for'
    )
    parser.add_argument('config', metavar='CONFIG', help='path of the config')
    parser.add_argument(
        '--split',
        choices=('train', 'val', 'test'),
        default='train',
        help='which dataset of the config (default: %(default)s)',
    )
    parser.add_argument('--out', help='JSON file to write')
    parser.add_argument('--picture', type=picture, help='PNG file to write')
    parser.add_argument(
        '--nproc', type=int, help='processes (default: one for each core)'
    )
    parser.add_argument(
        '--labels-only',
        action='store_true',
        help='leave the images alone, and only read the label maps',
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    check_outputs((args.out, args.picture), [args.config])
    dataset = dataset_from_config(args.config, args.split)
    statistics = class_statistics(
        dataset, args.nproc, check_images=not args.labels_only
    )
    width = max(len(name) for name in statistics.classes)
    print(f'{"class":{width}} {"images":>8} {"pixels":>14}')
    for name, images, pixels in zip(
        statistics.classes, statistics.images, statistics.pixels
    ):
        print(f'{name:{width}} {images:8} {pixels:14}')
    print(
        f'{statistics.num_images} images, '
        f'{statistics.ignored_pixels} pixels ignored'
    )
    if args.out:
        statistics.write(args.out)
    if args.picture:
        title = f'{Path(args.config).stem}, {args.split}'
        plot_class_statistics(statistics, args.picture, title)


if __name__ == '__main__':
    run_tool(main)
