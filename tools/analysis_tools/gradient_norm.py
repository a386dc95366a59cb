import argparse
import sys

from mmengine.fileio import dump

from mmpaco.cls.gradient_norm import (
    gradient_norms,
    plot_gradient_norms,
    training_counts,
)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Draw the gradient norm of each class's row of the "
        'classifier, averaged over an epoch (figure 2 of the papers)',
    )
    parser.add_argument(
        '--checkpoint',
        dest='members',
        nargs=3,
        action='append',
        required=True,
        metavar=('NAME', 'CONFIG', 'CHECKPOINT'),
        help='name in the legend, config that trained, and weights; repeat '
        'it for several curves',
    )
    parser.add_argument('--picture', required=True, help='PNG file to write')
    parser.add_argument('--out', help='JSON file of the norms to write')
    parser.add_argument(
        '--max-iters', type=int, help='stop after these (default: one epoch)'
    )
    parser.add_argument(
        '--trust',
        action='store_true',
        help='read checkpoints that hold more than weights, and so run the '
        'code that is in them',
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    counts = training_counts(args.members[0][1])
    try:
        norms = {
            name: gradient_norms(
                config, checkpoint, args.max_iters, args.trust
            ).tolist()
            for name, config, checkpoint in args.members
        }
    except (OSError, ValueError, RuntimeError) as error:
        sys.exit(str(error))
    plot_gradient_norms(norms, counts, args.picture)
    if args.out:
        content = {'class_counts': counts.tolist(), 'norms': norms}
        dump(content, args.out, file_format='json')
    print(args.picture)


if __name__ == '__main__':
    main()
