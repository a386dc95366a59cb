import argparse

from mmengine.fileio import dump

from mmpaco.analysis.gradient_norm import gradient_norms, plot_gradient_norms
from mmpaco.files import whole_file
from mmpaco.runner.loaded_runner import training_counts
from mmpaco.runner.tool_arguments import (
    add_members,
    add_trust,
    check_outputs,
    named_members,
    picture,
)
from mmpaco.runner.tool_ending import run_tool


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Draw the gradient norm of each class's row of the "
        'classifier, averaged over an epoch (figure 2 of the papers)',
    )
    add_members(parser)
    parser.add_argument(
        '--picture', type=picture, required=True, help='PNG file to write'
    )
    parser.add_argument('--out', help='JSON file of the norms to write')
    parser.add_argument(
        '--max-iters', type=int, help='stop after these (default: one epoch)'
    )
    add_trust(parser)
    args = parser.parse_args()
    args.members = named_members(parser, args)
    return args


def main() -> None:
    args = parse_args()
    check_outputs((args.out, args.picture), sum(args.members.values(), ()))
    counts = training_counts(next(iter(args.members.values()))[0])
    norms = {
        name: gradient_norms(
            config, checkpoint, args.max_iters, args.trust
        ).tolist()
        for name, (config, checkpoint) in args.members.items()
    }
    plot_gradient_norms(norms, counts, args.picture)
    if args.out:
        content = {'class_counts': counts.tolist(), 'norms': norms}
        with whole_file(args.out) as part:
            dump(content, part, file_format='json')
    print(args.picture)


if __name__ == '__main__':
    run_tool(main)
