"""Arguments that several tools take."""

import argparse
import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Optional

import torch
from mmengine.config import DictAction

from mmpaco.files import PathLike, check_apart, check_writable

__all__ = [
    'KeyValues',
    'MoreKeyValues',
    'add_members',
    'add_trust',
    'check_outputs',
    'known_device',
    'named_file',
    'named_members',
    'picture',
    'whole_number',
]


_PICTURES = ('.png', '.jpg', '.jpeg', '.pdf', '.svg')


class KeyValues(DictAction):
    """mmengine's ``DictAction``, which fails on what has no ``=``."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: Optional[str] = None,
    ) -> None:
        """Add to a dict of values by their keys."""
        for value in values:
            if '=' not in value:
                raise argparse.ArgumentError(
                    self, f'expected KEY=VALUE, but got {value!r}'
                )
            try:
                self._parse_iterable(value.partition('=')[2])
            except (AssertionError, RecursionError) as error:
                raise argparse.ArgumentError(
                    self,
                    f'cannot be read: {value!r}; several lists stand in one, '
                    'KEY=[[...],[...]]',
                ) from error
        super().__call__(parser, namespace, values, option_string)


class MoreKeyValues(KeyValues):
    """The same of an option that adds to what it was given before."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: Optional[str] = None,
    ) -> None:
        """Read the words after the option."""
        before = getattr(namespace, self.dest)
        super().__call__(parser, namespace, values, option_string)
        after = {**before, **getattr(namespace, self.dest)}
        setattr(namespace, self.dest, after)


def add_members(parser: argparse.ArgumentParser) -> None:
    """Let a tool take several trained models.

    Args:
        parser (ArgumentParser): Parser that gets ``members`` and ``names``;
            see :func:`named_members`.
    """
    parser.add_argument(
        'members',
        nargs='+',
        metavar='CONFIG CHECKPOINT',
        help='a trained model: its config and its weights',
    )
    parser.add_argument(
        '--names',
        nargs='+',
        metavar='NAME',
        help='names of the models (default: those of the configs)',
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


def check_outputs(
    outputs: Iterable[Optional[PathLike]], sources: Iterable[PathLike]
) -> None:
    """Refuse files that cannot be written before the work for them is done.

    Args:
        outputs (Iterable[str | PathLike | None]): Files to be written; those
            of options that were not given are None.
        sources (Iterable[str | PathLike]): Files that are read.

    Raises:
        OSError: If one cannot be written.
        ValueError: If one is a source, or another of them.
    """
    known = list(sources)
    for output in outputs:
        if output is None:
            continue
        if any(Path(output).absolute() == Path(x).absolute() for x in known):
            raise ValueError(
                f'{output} is read, or written twice; name another file'
            )
        check_apart(output, *known)
        check_writable(output)
        known.append(output)


def named_members(
    parser: argparse.ArgumentParser, args: argparse.Namespace
) -> dict[str, tuple[str, str]]:
    """Give the trained models by name, or stop with the usage.

    Args:
        parser (ArgumentParser): The parser.
        args (Namespace): What it read, with ``names`` or None.

    Returns:
        dict[str, tuple[str, str]]: Config and checkpoint of each, by
        ``names`` or else by the stems of the configs; of several with one
        stem, the second is ``STEM 2``.
    """
    if len(args.members) % 2:
        parser.error(
            'expected pairs of a config and a checkpoint, but got '
            f'{len(args.members)} paths'
        )
    members = list(zip(args.members[::2], args.members[1::2]))
    names = args.names or _numbered(Path(x).stem for x, _ in members)
    if len(names) != len(members) or len(set(names)) != len(names):
        parser.error(
            f'expected {len(members)} different names, but got {names}; set '
            '--names'
        )
    return dict(zip(names, members))


def _numbered(names: Iterable[str]) -> list[str]:
    found: list[str] = []
    for name in names:
        places = itertools.count(2)
        unique = name
        while unique in found:
            unique = f'{name} {next(places)}'
        found.append(unique)
    return found


def whole_number(text: str, least: int = 1) -> int:
    """Read a whole number, as the type of an argument.

    Args:
        text (str): What was given.
        least (int): The smallest that is allowed. Defaults to 1.

    Returns:
        int: The number.

    Raises:
        ArgumentTypeError: If it is none, or smaller.
    """
    if text.isdecimal() and int(text) >= least:
        return int(text)
    raise argparse.ArgumentTypeError(
        f'expected a whole number of at least {least}, but got {text!r}'
    )


def known_device(text: str) -> str:
    """Read a device of this machine, as the type of an argument.

    Args:
        text (str): What was given.

    Returns:
        str: The same.

    Raises:
        ArgumentTypeError: If it is neither the CPU nor a CUDA device that is
            there.
    """
    try:
        device = torch.device(text)
    except RuntimeError:
        device = torch.device('meta')
    if device.type == 'cpu':
        return text
    found = torch.cuda.device_count()
    if device.type == 'cuda' and (device.index or 0) < found:
        return text
    raise argparse.ArgumentTypeError(
        f'expected cpu or one of {found} CUDA devices, but got {text!r}'
    )


def picture(text: str) -> str:
    """Read the name of a picture to be written, as the type of an argument.

    It is refused before the work for it is done.

    Args:
        text (str): What was given.

    Returns:
        str: The same.

    Raises:
        ArgumentTypeError: If its suffix is that of no picture.
    """
    if Path(text).suffix.lower() in _PICTURES:
        return text
    raise argparse.ArgumentTypeError(
        f'expected a file of {", ".join(_PICTURES)}, but got {text!r}'
    )


def named_file(text: str) -> tuple[str, str]:
    """Read ``NAME=FILE``, as the type of an argument.

    Args:
        text (str): What was given.

    Returns:
        tuple[str, str]: Name and file.

    Raises:
        ArgumentTypeError: If either is missing.
    """
    name, _, file = text.partition('=')
    if name and file:
        return name, file
    raise argparse.ArgumentTypeError(f'expected NAME=FILE, but got {text!r}')
