"""Settings that are merged over a base config."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

from .training_data import as_list, type_name

__all__ = ['STAGE2', 'add_hooks', 'fitted', 'merged']

Settings = Mapping[str, Any]

_DELETE = '_delete_'
#: Before a dotted key of the second stage alone.
STAGE2 = 'stage2.'


def merged(base: Any, settings: Settings) -> dict[str, Any]:
    """Merge settings over a config, as a child of it in a file would be.

    Args:
        base (dict): The config, or what is in the place of the settings.
        settings (Mapping): As of :class:`Plan`.

    Returns:
        dict: The result.
    """
    is_new = settings.get(_DELETE) or not isinstance(base, Mapping)
    result = {} if is_new else dict(base)
    for key, value in settings.items():
        if key != _DELETE:
            result[key] = (
                merged(result.get(key), value)
                if isinstance(value, Mapping)
                else copy.deepcopy(value)
            )
    return result


def add_hooks(settings: dict[str, Any], cfg: Config, *types: str) -> None:
    """Add hooks to those of the base.

    Args:
        settings (dict): Settings for it, which are changed.
        cfg (Config): The base.
        *types (str): Types of hooks; those that it has are left out.
    """
    there = as_list(settings.get('custom_hooks', cfg.get('custom_hooks')))
    names = {type_name(hook) for hook in there}
    settings['custom_hooks'] = there + [
        dict(type=name) for name in types if name.split('.')[-1] not in names
    ]


def fitted(base: Any, settings: Settings) -> dict[str, Any]:
    """Let ``_delete_`` stand where mmengine needs it and nowhere else.

    A dict cannot be merged into what is none; and where the base has nothing
    to delete, mmengine would take the word for a setting.

    Args:
        base (dict): The config, or what is in the place of the settings.
        settings (Mapping): The settings.

    Returns:
        dict: The same, fitted.
    """
    result: dict[str, Any] = {}
    for key, value in settings.items():
        if key == _DELETE:
            continue
        if isinstance(value, Mapping):
            is_there = isinstance(base, Mapping) and key in base
            below = base[key] if is_there else None
            is_new = value.get(_DELETE) or not isinstance(below, Mapping)
            inner = fitted(None if is_new else below, value)
            value = {_DELETE: True, **inner} if is_there and is_new else inner
        result[key] = value
    return result
