"""Values that a user gives for settings of a method or of the config."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from mmengine.config import Config

from .base import Method, Options, Plan, WrongSetting, nearest
from .first_validation import validate_in_time
from .settings import STAGE2, Settings, fitted, merged

__all__ = ['as_there', 'asked', 'complete', 'named']


def named(given: Settings, method: Method) -> dict[str, Any]:
    """Give the parameters of a method their short names.

    A method reads those, and says what comes of them.

    Args:
        given (Mapping): Values by short names or by dotted keys.
        method (Method): The method.

    Returns:
        dict: The same values.

    Raises:
        WrongSetting: If one is given by both names, or is no number.
    """
    short = {dotted: name for name, dotted in method.parameters.items()}
    result: dict[str, Any] = {}
    for key, value in given.items():
        name = short.get(key, key)
        if name in result:
            raise WrongSetting(
                f'{name} is given twice, as {method.parameters[name]} too; '
                'leave out one'
            )
        dotted = method.parameters.get(name, 'type')
        # All others are numbers.
        is_number = isinstance(value, (bool, int, float)) and value == value
        if not dotted.endswith('type') and not is_number:
            raise WrongSetting(f'{key} must be a number, but got {value!r}')
        result[name] = value
    return result


def asked(cfg: Config, given: Settings) -> Config:
    """Give a config what a user says of parts that it has itself.

    So a method reads of the data and the classes that will be trained.

    Args:
        cfg (Config): The config.
        given (Mapping): Values by dotted keys. Those of lists are left out:
            they are of the pipeline of the result.

    Returns:
        Config: Another config.
    """
    values = copy.deepcopy(cfg.to_dict())
    for dotted, value in given.items():
        node, last = _place(values, dotted)
        if isinstance(node, dict) and last in node:
            node[last] = value
    return Config(values, filename=cfg.filename)


def as_there(
    given: Settings, base: Config, plan: Plan, method: Method
) -> dict[str, Any]:
    """Spell numbers that a plan has anyway as it does, 30.0 and not 30.

    Else a config with a default that is given would be another one.

    Args:
        given (Mapping): Values by short names or by dotted keys.
        base (Config): The config.
        plan (Plan): What a method makes of it without them.
        method (Method): The method.

    Returns:
        dict: The same values.
    """
    stages = [plan, plan.second_stage or plan]
    there = [merged(base.to_dict(), stage.settings) for stage in stages]
    result = dict(given)
    for name, value in given.items():
        dotted = method.parameters.get(name, name)
        is_second = dotted.startswith(STAGE2)
        node, last = _place(
            there[is_second], dotted[len(STAGE2) * is_second :]
        )
        if isinstance(node, Mapping) and isinstance(value, (int, float)):
            known = node.get(last)
            result[name] = known if known == value else value
    return result


def _place(values: Any, dotted: str) -> tuple[Any, str]:
    """Find what a dotted key is in, through dicts; None if nothing is."""
    *above, last = dotted.split('.')
    for key in above:
        values = values.get(key) if isinstance(values, Mapping) else None
    return values, last


def _check_kept(plan: Plan, dotted: str) -> None:
    """See that a value does not take away what a method consists of."""
    node, last = _place(plan.settings, dotted)
    there = node.get(last) if isinstance(node, Mapping) else None
    is_part = last in ('type', 'custom_hooks', 'pipeline')
    if there is not None and (is_part or isinstance(there, Mapping)):
        raise WrongSetting(
            f'{dotted} is what the method consists of; set what is inside of '
            'it, or write another config on the result'
        )


def complete(
    base: Config, plan: Plan, method: Method, options: Options
) -> Plan:
    """Give a plan the values that a user gave, and fit it to its base.

    Args:
        base (Config): The config it is for.
        plan (Plan): The plan, which stays as it is.
        method (Method): What it is of.
        options (Options): With ``given``, by the short names of the method
            or by dotted keys of the resulting config, of any of its stages;
            of the second alone after :data:`STAGE2`.

    Returns:
        Plan: The plan.

    Raises:
        WrongSetting: If nothing has a key that was given, or the method would
            be none with it, or the training would never be validated.
    """
    below = base.to_dict()
    stages = [plan, *([plan.second_stage] if plan.second_stage else [])]
    settings = [copy.deepcopy(stage.settings) for stage in stages]
    if below.get('work_dir'):
        # Else it would mix with a run of the base, and two stages would.
        for i, changes in enumerate(settings):
            changes['work_dir'] = options.work_dir + ('_stage2' if i else '')
    own = ['It has a work_dir of its own.'] if below.get('work_dir') else []
    for name, value in options.given.items():
        dotted = method.parameters.get(name, name)
        is_parameter = dotted in method.parameters.values()
        first = int(dotted.startswith(STAGE2))
        inner = dotted[len(STAGE2) * first :]
        if not is_parameter:
            for stage in stages[first : first + 1]:
                _check_kept(stage, inner)
        is_known = False
        for i, changes in enumerate(settings):
            if i < first or (not first and inner in stages[i].own):
                continue
            changed = _given(
                changes,
                merged(below, changes),
                inner.split('.'),
                value,
                # Its own parameters need not be there yet.
                may_be_new=is_parameter and i == first,
            )
            if changed is not None:
                settings[i], is_known = changed, True
        if not is_known:
            names = [
                *method.parameters,
                *_dotted_keys(merged(below, settings[0])),
            ]
            short = ', '.join(method.parameters)
            raise WrongSetting(
                f'nothing has the key {name!r}{nearest(name, names)}; give a '
                'dotted key of the config'
                + (f', or one of {short}' if short else '')
            )
    done: Optional[Plan] = None
    for i, stage in reversed(list(enumerate(stages))):
        begins = validate_in_time(
            below,
            merged(below, settings[i]),
            settings[i],
            options.given.get(STAGE2 * i + 'train_cfg.val_begin'),
        )
        done = Plan(
            fitted(below, settings[i]),
            [*stage.decisions, *begins, *own],
            dict(stage.comments),
            done,
            stage.own,
            stage.bases,
        )
    return done or plan


def _given(
    settings: Settings,
    result: Any,
    keys: list[str],
    value: Any,
    may_be_new: bool = False,
) -> Optional[dict[str, Any]]:
    """Set a value in settings, or give None if the result lacks the key."""
    key, *rest = keys
    if not isinstance(result, Mapping):
        return None
    if key not in result and not may_be_new:
        return None
    if rest:
        below = result.get(key, {})
        if isinstance(below, (list, tuple)):
            # mmengine does not merge lists.
            value = _given_in_list(list(below), rest, value)
        else:
            inner = settings.get(key)
            value = _given(
                inner if isinstance(inner, Mapping) else {},
                below,
                rest,
                value,
                may_be_new,
            )
        if value is None:
            return None
    return {**settings, key: value}


def _given_in_list(
    items: list[Any], keys: list[str], value: Any
) -> Optional[list[Any]]:
    index, *rest = keys
    if not index.isdecimal() or int(index) >= len(items):
        return None
    item = items[int(index)]
    if not rest:
        item = value
    elif isinstance(item, (list, tuple)):
        item = _given_in_list(list(item), rest, value)
    else:
        item = _given(item, item, rest, value)
    if rest and item is None:
        return None
    return [*items[: int(index)], item, *items[int(index) + 1 :]]


def _dotted_keys(node: Any, above: str = '') -> Iterator[str]:
    """Give all keys of a config, those in its lists by their index."""
    if isinstance(node, Mapping):
        items = list(node.items())
    elif isinstance(node, (list, tuple)):
        items = [(str(i), x) for i, x in enumerate(node)]
    else:
        return
    for key, value in items:
        yield f'{above}{key}'
        yield from _dotted_keys(value, f'{above}{key}.')
