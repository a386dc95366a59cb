"""Settings given for all methods of a comparison, or for one of them."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmengine.config import Config

from mmpaco.methods import Refusal, find_method, toolbox_of
from mmpaco.methods import methods as known_methods

__all__ = ['COMMON', 'divide', 'grid', 'setting_text']

#: Stands for all methods.
COMMON = ''


def divide(
    settings: Mapping[str, Any], methods: Sequence[str], cfg: Config
) -> dict[str, dict[str, Any]]:
    """Say whose each setting is.

    ``METHOD.KEY`` is of that method. A short name of a method's parameter,
    such as ``alpha``, is of each method that has it, unless the config has
    such a key. All else is of the config that all methods stand on.

    Args:
        settings (Mapping): Values by key.
        methods (Sequence[str]): The methods that are compared.
        cfg (Config): The config.

    Returns:
        dict: Settings by key for each method, and for all under
        :data:`COMMON`.

    Raises:
        Refusal: If there is no such method, or a setting is of one that is
            not compared.
    """
    toolbox = toolbox_of(cfg)
    short = {x: find_method(x, toolbox).parameters for x in methods}
    divided: dict[str, dict[str, Any]] = {x: {} for x in (COMMON, *methods)}
    for key, value in settings.items():
        first, _, rest = key.partition('.')
        if first in methods and rest:
            owners, key = [first], rest
        elif rest and first not in cfg and first in _all_methods():
            raise Refusal(
                f'{key} is of the method {first}, which is not compared; '
                f'compared are {", ".join(methods)}'
            )
        else:
            owners = [x for x in methods if key in short[x]]
            if not owners or key in cfg:
                owners = [COMMON]
        for owner in owners:
            divided[owner][key] = value
    return divided


def _all_methods() -> set[str]:
    return {x.name for x in known_methods()}


def grid(choices: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Give each combination of values.

    Args:
        choices (Mapping): The values of each key, a list or a single one.

    Yields:
        dict: A value for each key, each combination once.
    """
    values = [
        x if isinstance(x, (list, tuple)) else [x] for x in choices.values()
    ]
    given: list[tuple[Any, ...]] = []
    for chosen in itertools.product(*values):
        if chosen not in given:
            given.append(chosen)
            yield dict(zip(choices, chosen))


def setting_text(setting: Mapping[str, Any]) -> str:
    """Tell a setting in words, such as ``'alpha 0.01, temperature 0.07'``."""
    return ', '.join(f'{key} {value}' for key, value in setting.items())
