import argparse

from mmpaco.analysis.extra_loss import (
    class_strengths,
    extra_loss,
    optimal_probability,
    plot_extra_loss,
)
from mmpaco.runner.tool_arguments import check_outputs, picture
from mmpaco.runner.tool_ending import run_tool


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Draw and print where contrast pulls the probability of '
        'the right center (figure 3 of the papers)'
    )
    parser.add_argument(
        '--config', help='take alpha, queue, batch and class counts from it'
    )
    parser.add_argument(
        '--alpha',
        type=float,
        default=0.05,
        help='weight of a positive (default: %(default)s)',
    )
    parser.add_argument(
        '--positives',
        type=float,
        nargs='+',
        default=[8.2],
        metavar='K',
        help='positives of an anchor (default: 8.2, as in full ImageNet)',
    )
    parser.add_argument('--picture', type=picture, help='PNG file to write')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    check_outputs([args.picture], [args.config] if args.config else [])
    if args.config:
        alpha_ks = {
            f'{x.name} ({x.images} images): K = {x.positives:.3g}': x.alpha_k
            for x in class_strengths(args.config)
        }
    else:
        alpha_ks = {f'K = {k:g}': args.alpha * k for k in args.positives}
    width = max(map(len, alpha_ks))
    print(f'{"":{width}}  alpha K  best P  L_extra')
    for name, alpha_k in alpha_ks.items():
        best = optimal_probability(alpha_k)
        loss = extra_loss(best, alpha_k) if best < 1 else 0.0
        print(f'{name:{width}}  {alpha_k:7.3f}  {best:6.3f}  {loss:7.3f}')
    if args.picture:
        plot_extra_loss(alpha_ks, args.picture)


if __name__ == '__main__':
    run_tool(main)
