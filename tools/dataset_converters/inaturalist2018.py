import argparse
from pathlib import Path

from mmpaco.converters.inaturalist2018 import write_inaturalist2018
from mmpaco.runner.tool_ending import run_tool


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Turn train2018.json and val2018.json of iNaturalist '
        '2018 into the lists that mmpaco.INaturalist2018 reads'
    )
    parser.add_argument('source', type=Path, help='folder of both files')
    parser.add_argument(
        '--out',
        type=Path,
        help='folder to write to (default: the same)',
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    for split in ('train', 'val'):
        out = (args.out or args.source) / f'iNaturalist18_{split}.txt'
        images = write_inaturalist2018(args.source / f'{split}2018.json', out)
        print(f'{out}: {images} images')


if __name__ == '__main__':
    run_tool(main)
