"""Configs from files, and whether they are what a tool works on."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Optional, Union

from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmpaco.files import PathLike

__all__ = ['ConfigLike', 'load_config', 'read_config']

ConfigLike = Union[PathLike, Config]

_SUFFIXES = ('.py', '.json', '.yml', '.yaml')


def load_config(path: PathLike, custom_imports: bool = True) -> Config:
    """Load a config.

    Args:
        path: Its file.
        custom_imports (bool): Whether to import what it names in
            ``custom_imports``. Defaults to True.

    Returns:
        Config: The config.

    Raises:
        FileNotFoundError: If it is no file.
        ValueError: If it is a file of another kind, or no Python.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(
            f'config must be an existing file, but got {str(path)!r}'
        )
    if Path(path).suffix not in _SUFFIXES:
        raise ValueError(
            f'config must be a file of {", ".join(_SUFFIXES)}, but got '
            f'{str(path)!r}'
        )
    try:
        return Config.fromfile(path, import_custom_modules=custom_imports)
    except SyntaxError as error:
        raise ValueError(
            f'{path}, or a config that it names in _base_, is no Python: '
            f'{error}'
        ) from error


def read_config(
    config: ConfigLike,
    scope: Optional[str] = None,
    needs: Sequence[str] = (),
) -> Config:
    """Read a config for its own use, and enter its scope.

    Args:
        config: A config, of which a copy is given, or its path.
        scope (str, optional): ``'mmpretrain'`` or ``'mmseg'``, whose config
            it must be; that is also its scope if it names none. Defaults to
            any.
        needs (Sequence[str]): Fields that it must have, such as
            ``'model.head'``. Defaults to none.

    Returns:
        Config: The config.

    Raises:
        FileNotFoundError: If it is no file.
        TypeError: If it is a config of another package.
        ValueError: If the file is no config, or lacks a field.
    """
    if isinstance(config, Config):
        cfg = copy.deepcopy(config)
    else:
        cfg = load_config(config)
    name = cfg.filename or 'the config'
    found = cfg.get('default_scope') or scope or 'mmengine'
    if scope is not None and found != scope:
        raise TypeError(
            f'expected a config of {scope}, but {name} is one of {found} '
            '(default_scope)'
        )
    for field in needs:
        if not _has(cfg, field):
            raise ValueError(
                f'{name} has no {field}, which is needed here; set it, or '
                f'give another config{f" of {scope}" if scope else ""}'
            )
    init_default_scope(found)
    return cfg


def _has(cfg: Config, field: str) -> bool:
    node = cfg
    for key in field.split('.'):
        if not hasattr(node, 'get') or node.get(key) is None:
            return False
        node = node.get(key)
    return True
