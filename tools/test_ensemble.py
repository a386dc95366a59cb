import argparse
import sys

from mmengine.fileio import dump

from mmpaco.cls.ensemble import evaluate_ensemble


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Test the sum of the logits of several classifiers, '
        'measured by the test_evaluator of the first config',
        usage='%(prog)s [-h] [--out FILE] [--trust] CONFIG CHECKPOINT '
        '[CONFIG CHECKPOINT ...]',
    )
    parser.add_argument(
        'members',
        nargs='+',
        metavar='CONFIG CHECKPOINT',
        help='a classifier: its config and its weights',
    )
    parser.add_argument(
        '--out', metavar='FILE', help='pickle of the predictions to write'
    )
    parser.add_argument(
        '--trust',
        action='store_true',
        help='read checkpoints that hold more than weights, and so run the '
        'code that is in them',
    )
    args = parser.parse_args()
    if len(args.members) % 2:
        parser.error(
            'expected pairs of a config and a checkpoint, but got '
            f'{len(args.members)} paths'
        )
    return args


def main() -> None:
    args = parse_args()
    pairs = list(zip(args.members[::2], args.members[1::2]))
    try:
        metrics, samples = evaluate_ensemble(pairs, args.trust)
    except (OSError, ValueError, RuntimeError) as error:
        sys.exit(str(error))
    print(f'sum of {len(pairs)} classifiers')
    for name, value in metrics.items():
        print(f'{name} {value}')
    if args.out:
        dump([x.to_dict() for x in samples], args.out, file_format='pkl')


if __name__ == '__main__':
    main()
