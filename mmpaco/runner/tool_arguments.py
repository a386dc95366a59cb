"""Arguments that several tools take."""

import argparse
from pathlib import Path

__all__ = ['add_members', 'add_trust', 'named_members', 'pairs']


def add_members(parser: argparse.ArgumentParser) -> None:
    """Let a tool take several trained models.

    Args:
        parser (ArgumentParser): Parser that gets ``members``; see
            :func:`pairs`.
    """
    parser.add_argument(
        'members',
        nargs='+',
        metavar='CONFIG CHECKPOINT',
        help='a trained model: its config and its weights',
    )


def add_trust(
    parser: argparse.ArgumentParser, what: str = 'a checkpoint'
) -> None:
    """Let a tool read any file of weights or results.

    Args:
        parser (ArgumentParser): Parser that gets ``--trust``.
        what (str): The kind of file. Defaults to 'a checkpoint'.
    """
    parser.add_argument(
        '--trust',
        action='store_true',
        help=f'read {what} that holds more than numbers and strings, and so '
        'run the code that is in it',
    )


def pairs(
    parser: argparse.ArgumentParser, args: argparse.Namespace
) -> list[tuple[str, str]]:
    """Give the trained models, or stop with the usage.

    Args:
        parser (ArgumentParser): The parser.
        args (Namespace): What it read.

    Returns:
        list[tuple[str, str]]: Config and checkpoint of each.
    """
    if len(args.members) % 2:
        parser.error(
            'expected pairs of a config and a checkpoint, but got '
            f'{len(args.members)} paths'
        )
    return list(zip(args.members[::2], args.members[1::2]))


def named_members(
    parser: argparse.ArgumentParser, args: argparse.Namespace
) -> dict[str, tuple[str, str]]:
    """Give the trained models by name, or stop with the usage.

    Args:
        parser (ArgumentParser): The parser.
        args (Namespace): What it read, with ``names`` or None.

    Returns:
        dict[str, tuple[str, str]]: Config and checkpoint of each, by
        ``names`` or else by the stems of the configs.
    """
    members = pairs(parser, args)
    names = args.names or [Path(config).stem for config, _ in members]
    if len(names) != len(members) or len(set(names)) != len(names):
        parser.error(
            f'expected {len(members)} different names, but got {names}; set '
            '--names'
        )
    return dict(zip(names, members))
