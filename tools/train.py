"""Train a model with the train tool of mmpretrain or mmseg."""

import argparse

from mmpaco.runner.stock_tools import run_stock_tool
from mmpaco.runner.tool_ending import run_tool


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        usage='%(prog)s CONFIG [options of the stock tool]',
        epilog='The default_scope of the config says whose tool runs. All its '
        'options apply, such as --work-dir DIR, --resume, --amp, '
        '--cfg-options KEY=VALUE and --launcher pytorch or slurm, which work '
        'without a GPU as well.',
        allow_abbrev=False,
    )
    parser.add_argument('config', metavar='CONFIG', help='path of the config')
    args, options = parser.parse_known_args()
    run_stock_tool('train', args.config, options)


if __name__ == '__main__':
    run_tool(main, 'with --resume it goes on from its last checkpoint')
