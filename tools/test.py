"""Test a checkpoint with the test tool of mmpretrain or mmseg."""

import argparse

from mmpaco.runner.stock_tools import run_stock_tool
from mmpaco.runner.tool_arguments import add_trust
from mmpaco.runner.tool_ending import run_tool


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        usage='%(prog)s CONFIG CHECKPOINT [options of the stock tool]',
        epilog='CHECKPOINT holds the weights. The default_scope of the config '
        'says whose tool runs. All its options apply, such as --work-dir DIR, '
        '--out FILE, --tta, --cfg-options KEY=VALUE and --launcher pytorch or '
        'slurm, which work without a GPU as well.',
        allow_abbrev=False,
    )
    parser.add_argument('config', metavar='CONFIG', help='path of the config')
    add_trust(parser)
    args, options = parser.parse_known_args()
    run_stock_tool('test', args.config, options, args.trust)


if __name__ == '__main__':
    run_tool(main)
