"""A training that became shorter is validated all the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .base import WrongSetting

__all__ = ['validate_in_time']


def validate_in_time(
    base: Mapping[str, Any],
    cfg: Mapping[str, Any],
    settings: dict[str, Any],
    given: Any = None,
) -> list[str]:
    """Let validation begin at once, if a method would end before it does.

    mmengine would not validate, and say nothing.

    Args:
        base (Mapping): The config without the method. If it does not
            validate either, all stays.
        cfg (Mapping): The config with it.
        settings (dict): What the method changes, of which ``train_cfg`` is
            replaced.
        given: A ``val_begin`` that the user gave for this training. Defaults
            to None: none was.

    Returns:
        list[str]: What was decided, in a sentence, or nothing.

    Raises:
        WrongSetting: If ``given`` is after the end.
    """
    if not _never_validates(cfg) or (given is None and _never_validates(base)):
        return []
    what = f'val_begin={_begin(cfg):g}'
    unit = _unit(cfg)
    end = f'the {_length(cfg):g} {unit[4:]} of this training'
    if given is not None:
        raise WrongSetting(
            f'{what} is after {end}, which would never be validated; give a '
            f'smaller val_begin, or a larger train_cfg.{unit}'
        )
    settings['train_cfg'] = {
        **(settings.get('train_cfg') or {}),
        'val_begin': 1,
    }
    if not cfg.get('val_dataloader'):
        return []
    return [f'Validation begins at once: {what} of the config is after {end}.']


def _never_validates(cfg: Mapping[str, Any]) -> bool:
    return _begin(cfg) > _length(cfg)


def _unit(cfg: Mapping[str, Any]) -> str:
    has_epochs = (cfg.get('train_cfg') or {}).get('max_epochs')
    return 'max_epochs' if has_epochs else 'max_iters'


def _length(cfg: Mapping[str, Any]) -> float:
    train = cfg.get('train_cfg') or {}
    return float(train.get(_unit(cfg)) or 'inf')


def _begin(cfg: Mapping[str, Any]) -> float:
    return float((cfg.get('train_cfg') or {}).get('val_begin') or 1)
