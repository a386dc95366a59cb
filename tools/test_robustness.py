import argparse
from pathlib import Path

from mmpaco.analysis.robustness import (
    FOLDERS,
    robustness,
    robustness_if_corrupted,
)
from mmpaco.analysis.robustness_picture import plot_robustness
from mmpaco.analysis.robustness_table import (
    corruption_table,
    paper_row,
    summary,
)
from mmpaco.cls.corruptions import CORRUPTIONS, SEVERITIES
from mmpaco.runner.tool_arguments import (
    add_trust,
    check_outputs,
    picture,
    whole_number,
)
from mmpaco.runner.tool_ending import run_tool


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Test a classifier of ImageNet on its own test images and '
        'on ImageNet-C, -R and -Sketch, whichever are there; or, with '
        "--corrupt, any classifier on its config's test images, corrupted "
        'as those of ImageNet-C'
    )
    parser.add_argument('config', metavar='CONFIG', help='path of the config')
    parser.add_argument('checkpoint', metavar='CHECKPOINT', help='its weights')
    parser.add_argument(
        '--corrupt',
        action='store_true',
        help="corrupt the config's test images; needs the package "
        'imagecorruptions-imaug',
    )
    for name, folder in FOLDERS.items():
        parser.add_argument(
            f'--{name}',
            metavar='DIR',
            default=folder,
            help='folder of the images (default: %(default)s)',
        )
    parser.add_argument(
        '--corruptions',
        nargs='+',
        metavar='NAME',
        choices=CORRUPTIONS,
        help=f'which of {", ".join(CORRUPTIONS)} (default: all)',
    )
    parser.add_argument(
        '--severities',
        nargs='+',
        type=int,
        metavar='N',
        choices=SEVERITIES,
        default=SEVERITIES,
        help='which of 1 to 5 (default: all)',
    )
    parser.add_argument(
        '--seed',
        type=lambda text: whole_number(text, 0),
        default=0,
        help='of what is random with --corrupt (default: %(default)s)',
    )
    parser.add_argument('--out', metavar='FILE', help='JSON file to write')
    parser.add_argument(
        '--picture', type=picture, metavar='FILE', help='PNG file to write'
    )
    add_trust(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    check_outputs((args.out, args.picture), (args.config, args.checkpoint))
    name = Path(args.config).stem
    chosen = dict(
        corruptions=args.corruptions,
        severities=args.severities,
        trust=args.trust,
    )
    if args.corrupt:
        found = robustness_if_corrupted(
            args.config, args.checkpoint, seed=args.seed, **chosen
        )
    else:
        folders = {x: getattr(args, x.replace('-', '_')) for x in FOLDERS}
        found = robustness(args.config, args.checkpoint, folders, **chosen)
    if found.means:
        print(
            '\nTop-1 error in % by severity', corruption_table(found), sep='\n'
        )
    print('', summary(found), sep='\n')
    if args.corrupt:
        print(
            '\nNo mCE: it divides by the errors of AlexNet on ImageNet-C, '
            'which say nothing of these images.'
        )
    else:
        print('\nAs in table 4 of GPaCo', paper_row(name, found), sep='\n')
    if args.out:
        found.write(args.out)
    if args.picture:
        plot_robustness(found, name, args.picture)


if __name__ == '__main__':
    run_tool(main)
