import argparse

from mmpaco.methods import methods
from mmpaco.runner.buildable import check_builds
from mmpaco.runner.method_configs import apply_method, write_configs
from mmpaco.runner.tool_arguments import MoreKeyValues
from mmpaco.runner.tool_ending import run_tool


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Put a method on a config of mmpretrain or mmseg: write '
        'a config that stands on it, for any stock tool'
    )
    parser.add_argument('method', nargs='?', metavar='METHOD')
    parser.add_argument(
        'config',
        nargs='?',
        metavar='CONFIG',
        help='a path, or mmpretrain::... or mmseg::... for one that the '
        'installed package ships',
    )
    parser.add_argument(
        'out',
        nargs='?',
        metavar='OUT',
        help='the config to write (default: CONFIG-stem_METHOD.py here); the '
        'second of two stages is OUT-stem_stage2.py',
    )
    parser.add_argument(
        '--set',
        nargs='+',
        action=MoreKeyValues,
        default={},
        metavar='KEY=VALUE',
        help='settings by a dotted key, or by a short name of the method '
        'such as alpha',
    )
    parser.add_argument(
        '--views',
        choices=('own', 'papers'),
        default='own',
        help="whose transforms make the views: the config's own (default) "
        "or the papers'",
    )
    parser.add_argument(
        '--force', action='store_true', help='write over OUT if it is there'
    )
    parser.add_argument(
        '--list', action='store_true', help='list the methods, and stop'
    )
    args = parser.parse_args()
    if not args.list and args.config is None:
        parser.error('METHOD and CONFIG are needed, or --list')
    return args


def main() -> None:
    args = parse_args()
    if args.list:
        for method in methods():
            print(f'{method.toolbox} {method.name}: {method.description}')
            print(f'    {method.paper}')
            if method.parameters:
                print(f'    --set {", ".join(method.parameters)}')
        return
    made = apply_method(
        args.method, args.config, args.out, views=args.views, given=args.set
    )
    for config in made:
        check_builds(config.config, config.base, args.set)
    write_configs(made, args.force)
    for config in made:
        print(f'# {config.path}\n{config.text}')
        for decision in config.decisions:
            print(f'- {decision}')
        print()


if __name__ == '__main__':
    run_tool(main)
