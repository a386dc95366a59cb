"""Test a checkpoint with the test tool of mmpretrain or mmseg."""

import argparse

from mmpaco.runner.stock_tools import run_stock_tool
from mmpaco.runner.tool_arguments import add_trust


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        usage='%(prog)s CONFIG CHECKPOINT [options of the stock tool]',
        epilog='The default_scope of the config says whose tool runs. All its '
        'options apply, such as --work-dir DIR, --out FILE, --tta, '
        '--cfg-options KEY=VALUE and --launcher pytorch or slurm, which work '
        'without a GPU as well.',
        allow_abbrev=False,
    )
    parser.add_argument('config', metavar='CONFIG', help='path of the config')
    parser.add_argument('checkpoint', metavar='CHECKPOINT', help='its weights')
    add_trust(parser)
    args, options = parser.parse_known_args()
    run_stock_tool(
        'test',
        args.config,
        [args.checkpoint, *options],
        untrusted=None if args.trust else args.checkpoint,
    )


if __name__ == '__main__':
    main()
