"""Configs that the installed mmpretrain and mmseg ship."""

import difflib
import os
from pathlib import Path
from typing import NamedTuple

from mmpaco.compat import shipped_places
from mmpaco.files import PathLike

__all__ = ['ConfigFile', 'config_file', 'installed', 'stock_folder']

PACKAGES = ('mmpretrain', 'mmseg')


class ConfigFile(NamedTuple):
    """A config, and how another one names it as its base.

    Args:
        path (Path): The file.
        package (str): The package that ships it, or '' for a user's own.
        inside (str): Its path in that package, such as
            ``'/.mim/configs/resnet/resnet18_8xb32_in1k.py'``.
    """

    path: Path
    package: str = ''
    inside: str = ''

    def expression(self, folder: PathLike) -> str:
        """Give Python that a config in a folder names it by.

        mmengine's own ``'mmseg::...'`` is looked up by the name of the
        distribution, which is another for each of the two families.

        Args:
            folder: Where that config will be.

        Returns:
            str: The expression.
        """
        if self.package:
            return installed(self.package, self.inside)
        whole = os.path.abspath(self.path)
        try:
            path = os.path.relpath(whole, folder)
        except ValueError:
            # On another drive.
            path = whole
        # Of a folder that is a link, mmengine takes ``..`` in two ways.
        if os.path.realpath(Path(folder) / path) != os.path.realpath(whole):
            path = whole
        return repr(Path(path).as_posix())


def stock_folder(package: str) -> Path:
    """Find the configs of a package.

    Args:
        package (str): ``'mmpretrain'`` or ``'mmseg'``.

    Returns:
        Path: Their folder.

    Raises:
        ImportError: If the package is not installed, or without its configs.
    """
    for place in shipped_places(package):
        if (place / 'configs' / '_base_').is_dir():
            return place / 'configs'
    raise ImportError(
        f'{package} is not installed with its configs, so {package}::... '
        'names none; install it, or give the path of a config'
    )


def config_file(name: str) -> ConfigFile:
    """Find a config by its path, or in an installed package.

    Args:
        name (str): A path, or ``'mmpretrain::...'`` or ``'mmseg::...'``.

    Returns:
        ConfigFile: The config.

    Raises:
        FileNotFoundError: If there is none; with the name that is nearest.
        ImportError: If the package is not installed.
        ValueError: If it is of another package.
    """
    package, separator, inner = name.partition('::')
    if not separator:
        if not Path(name).is_file():
            raise FileNotFoundError(
                f'config must be an existing file, or mmpretrain::... or '
                f'mmseg::..., but got {name!r}'
            )
        return ConfigFile(Path(name))
    if package not in PACKAGES:
        raise ValueError(
            f'expected mmpretrain::... or mmseg::..., but got {name!r}'
        )
    folder = stock_folder(package)
    path = folder / inner
    if not inner.endswith('.py') or not path.is_file():
        names = {
            x.stem: x.relative_to(folder).as_posix()
            for x in sorted(folder.rglob('*.py'))
        }
        near = difflib.get_close_matches(Path(inner).stem, names, 1)
        raise FileNotFoundError(
            f'{package} ships no config {inner!r}'
            + (f' (did you mean {package}::{names[near[0]]}?)' if near else '')
            + f'; they are in {folder}'
        )
    inside = '.mim/' if folder.parent.name == '.mim' else '../'
    return ConfigFile(
        path,
        package,
        f'/{inside}configs/{path.relative_to(folder).as_posix()}',
    )


def installed(package: str, inside: str) -> str:
    """Give Python, of short lines, for a path in an installed package."""
    folder, _, name = inside.rpartition('/')
    path = repr(inside) if len(inside) < 70 else f'{f"{folder}/"!r}\n{name!r}'
    return f'__import__({package!r}).__path__[0]\n+ {path}'
