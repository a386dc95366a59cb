"""The text of the config that a plan makes of its base."""

from __future__ import annotations

import keyword
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Optional

from mmengine.config import ConfigDict

from .base import Plan

__all__ = ['config_text']

_WIDTH = 79
_BASE = '_base_'


def config_text(
    plan: Plan, base: Mapping[str, Any], where: str, title: str = ''
) -> str:
    """Write a config that stands on another.

    What the base has is named as a part of it, such as
    ``[*_base_.custom_hooks, ...]``, and not repeated.

    Args:
        plan (Plan): What changes, fitted to the base.
        base (dict): The config that it is for.
        where (str): A Python expression for the path of the base.
        title (str): A comment at its beginning, or '' for none.

    Returns:
        str: The text, in lines of at most 79 characters where that can be.
    """
    parts = _Parts(base)
    lines = _comment(title)
    lines.append(f'{_BASE} = {where}')
    items = list(plan.settings.items())
    while items:
        key, value = items.pop(0)
        names = key
        # What follows and is the same is said once, as in the evaluators.
        while items and _key(items[0][1]) == _key(value):
            more = f'{names} = {items[0][0]}'
            if len(f'{more} = {value!r}') > _WIDTH and _is_plain(value):
                break
            names = more
            items.pop(0)
        lines += _comment(plan.comments.get(key, ''))
        lines += _Printer(parts, names).assignment(value)
    return '\n'.join(lines) + '\n'


def _comment(text: str) -> list[str]:
    return [
        f'# {line}'
        for paragraph in text.splitlines()
        for line in textwrap.wrap(
            paragraph, _WIDTH - 2, break_long_words=False
        )
    ]


class _Slice(NamedTuple):
    """Consecutive items of a list of the base."""

    path: str
    start: int
    stop: int
    length: int

    def __str__(self) -> str:
        if (self.start, self.stop) == (0, self.length):
            return self.path
        start = str(self.start) if self.start else ''
        stop = '' if self.stop == self.length else self.stop - self.length
        return f'{self.path}[{start}:{stop}]'


class _Literal(str):
    """A name of a part of the base."""

    __repr__ = str.__str__


class _Parts:
    """The dicts and lists of a base config, to be found by their value."""

    def __init__(self, base: Mapping[str, Any]) -> None:
        self._dicts: dict[Any, str] = {}
        self._values: list[tuple[str, Mapping[str, Any]]] = []
        self._lists: list[tuple[str, list[Any]]] = []
        # What trains is found first, before its twins of validation.
        order = ['train_dataloader', 'model', 'custom_hooks']
        rest = [key for key in base if key not in order]
        for key in (*order, *rest):
            if key in base:
                self._add(_item(_BASE, key), base[key])

    def _add(self, path: str, value: Any) -> None:
        if isinstance(value, Mapping):
            self._dicts.setdefault(_key(value), path)
            self._values.append((path, value))
            for key, inner in value.items():
                self._add(_item(path, key), inner)
        elif isinstance(value, list):
            self._lists.append((path, [_key(x) for x in value]))
            for i, inner in enumerate(value):
                self._add(f'{path}[{i}]', inner)

    def name_of(self, value: Any) -> Optional[str]:
        """Give the name of a dict, or of a list or a part of one."""
        if isinstance(value, Mapping):
            return self._dicts.get(_key(value)) if value else None
        if isinstance(value, list) and any(
            isinstance(x, (Mapping, list)) for x in value
        ):
            run, length = self.longest_run([_key(x) for x in value])
            return str(run) if length == len(value) else None
        return None

    def nearest(
        self, value: Mapping[str, Any]
    ) -> tuple[str, Mapping[str, Any]]:
        """Find a dict that a value is, but for some keys, and the others."""
        best: tuple[str, Mapping[str, Any]] = ('', value)
        shortest = len(repr(value))
        for path, below in self._values:
            if not below or not set(below) <= set(value):
                continue
            others = {
                key: x
                for key, x in value.items()
                if key not in below or _key(x) != _key(below[key])
            }
            length = len(repr(others)) + len(path) + 4
            if length < shortest:
                best, shortest = (path, others), length
        return best

    def longest_run(self, keys: list[Any]) -> tuple[Optional[_Slice], int]:
        """Find the first items of a list among those of the base."""
        best: Optional[_Slice] = None
        longest = 0
        for path, items in self._lists:
            for start in range(len(items)):
                length = 0
                while (
                    length < len(keys)
                    and start + length < len(items)
                    and items[start + length] == keys[length]
                ):
                    length += 1
                if length > longest:
                    longest = length
                    best = _Slice(path, start, start + length, len(items))
        return best, longest


class _Printer:
    """Python for a value, over several lines if it has to."""

    def __init__(self, parts: _Parts, name: str) -> None:
        self._parts = parts
        self._name = name

    def assignment(self, value: Any) -> list[str]:
        return self._lines(f'{self._name} = ', value, '', 0)

    def _lines(
        self, before: str, value: Any, after: str, indent: int
    ) -> list[str]:
        """Break a value where it has to be.

        Args:
            before (str): What comes before it on its line.
            value: The value.
            after (str): What comes after its end.
            indent (int): Spaces before the line.
        """
        line = ' ' * indent + before + self._line(value) + after
        opening, items, closing = self._items(value)
        if len(line) <= _WIDTH or not items:
            return [line]
        # The last item may open on the line of those before it.
        *others, (start, last) = items
        head = before + opening
        head += ''.join(f'{x}{self._line(y)}, ' for x, y in others) + start
        broken = [
            ' ' * indent + before + opening,
            *self._rows(items, indent + 4),
            ' ' * indent + closing + after,
        ]
        if self._opens(head, last, indent):
            comma = ',' if opening == '(' and not others else ''
            hugged = self._lines(head, last, comma + closing + after, indent)
            return min(broken, hugged, key=len)
        return broken

    def _rows(self, items: list[tuple[str, Any]], indent: int) -> list[str]:
        """Fill rows with items, and break those that no row can hold."""
        lines: list[str] = []
        row = ''
        for i, (start, item) in enumerate(items):
            text = f'{start}{self._line(item)},'
            gap = ' ' if row else ''
            if indent + len(row + gap + text) <= _WIDTH:
                row += gap + text
                continue
            is_last = i == len(items) - 1
            if row and not (
                is_last and self._opens(row + gap + start, item, indent)
            ):
                lines.append(' ' * indent + row)
                row = gap = ''
            if not row and indent + len(text) <= _WIDTH:
                row = text
            else:
                lines += self._lines(row + gap + start, item, ',', indent)
                row = ''
        return lines + ([' ' * indent + row] if row else [])

    def _opens(self, head: str, value: Any, indent: int) -> bool:
        """Whether a value that can be broken may open after a head."""
        opening, items, _ = self._items(value)
        return bool(items) and indent + len(head + opening) <= _WIDTH

    def _line(self, value: Any) -> str:
        name = self._name_of(value)
        if name is not None:
            return name
        opening, items, closing = self._items(value)
        if items or opening:
            inner = ', '.join(x + self._line(y) for x, y in items)
            if opening == '(' and len(items) == 1:
                inner += ','
            return f'{opening}{inner}{closing}'
        return repr(value)

    def _name_of(self, value: Any) -> Optional[str]:
        if isinstance(value, _Slice):
            return str(value)
        name = self._parts.name_of(value)
        # A short value says more than where else it stands.
        if name is not None and len(name) > len(repr(value)) + 4:
            return None
        return name

    def _items(self, value: Any) -> tuple[str, list[tuple[str, Any]], str]:
        """What comes between which brackets, each with what is before it."""
        if self._name_of(value) is not None:
            return '', [], ''
        if isinstance(value, Mapping):
            path, others = self._parts.nearest(value)
            if all(_is_name(key) for key in others):
                below = [('', _Literal(path))] if path else []
                named = [(f'{key}=', x) for key, x in others.items()]
                return 'dict(', [*below, *named], ')'
            return '{', [(f'{key!r}: ', x) for key, x in value.items()], '}'
        if isinstance(value, tuple):
            return '(', [('', x) for x in value], ')'
        if isinstance(value, list):
            return '[', list(self._runs(value)), ']'
        return '', [], ''

    def _runs(self, value: list[Any]) -> Iterator[tuple[str, Any]]:
        keys = [_key(x) for x in value]
        i = 0
        while i < len(value):
            run, length = self._parts.longest_run(keys[i:])
            literal = sum(len(repr(x)) for x in value[i : i + length])
            if (
                run is None
                or not isinstance(value[i], (Mapping, list))
                or literal < len(str(run)) + (8 if length == 1 else 0)
                or (length == 1 and self._name_of(value[i]) is not None)
            ):
                yield '', value[i]
                i += 1
            else:
                yield '*', run
                i += length


def _is_plain(value: Any) -> bool:
    return not isinstance(value, (Mapping, list, tuple))


def _is_name(key: Any) -> bool:
    return (
        isinstance(key, str)
        and key.isidentifier()
        and not keyword.iskeyword(key)
    )


def _item(path: str, key: Any) -> str:
    """Name an item of a dict of mmengine's, whose methods win over keys."""
    if _is_name(key) and not hasattr(ConfigDict, key):
        return f'{path}.{key}'
    return f'{path}[{key!r}]'


def _key(value: Any) -> Any:
    """Something hashable that is equal for equal values alone."""
    if isinstance(value, Mapping):
        return (dict, frozenset((k, _key(x)) for k, x in value.items()))
    if isinstance(value, (list, tuple)):
        return (type(value), tuple(_key(x) for x in value))
    # 1, 1.0 and True are equal, and no two settings.
    return (type(value), repr(value))
