"""What all that reads pickles shares."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, NoReturn, Optional

_SCALARS = (str, int, float, bool, bytes, type(None))
_MAX_KEY = 64
_MAX_NUMEL = 1 << 48


class RefusedPickle(pickle.UnpicklingError):
    """A file holds something that is not data.

    Args:
        name (str): What it is.
    """

    def __init__(self, name: str) -> None:
        # It may have been written to be seen on a terminal.
        name = name if name.isprintable() else ascii(name)
        self.name = name if len(name) < 80 else f'{name[:76]}...'
        super().__init__(f'{self.name} is refused')


class Known(NamedTuple):
    """What stands for something that a pickle may call.

    Args:
        name (str): Its full name.
        call (Callable, optional): What is done for a call of it.
        new (Callable, optional): What is done for a new object of it.
    """

    name: str
    call: Optional[Callable[..., Any]] = None
    new: Optional[Callable[..., Any]] = None


def damaged(what: str) -> NoReturn:
    """Raise the error for what no writer of data writes.

    Args:
        what (str): What it is.

    Raises:
        UnpicklingError: Always.
    """
    raise pickle.UnpicklingError(what)


def expect(condition: bool, what: str) -> None:
    """Call something damaged unless a condition holds.

    Args:
        condition (bool): The condition.
        what (str): What is looked at.

    Raises:
        UnpicklingError: If it does not.
    """
    if not condition:
        damaged(f'{what} of another form')


def keys(items: Iterable[Any]) -> Iterable[Any]:
    """Give keys of a dict or a set, which are scalars or flat tuples of such.

    To hash a tuple of tuples goes as deep as they are, past any limit.

    Args:
        items (Iterable): The keys.

    Yields:
        The same.

    Raises:
        RefusedPickle: If one is something else.
    """
    for item in items:
        parts = item if type(item) is tuple else (item,)
        # Hashed as often as a pickle names it.
        expect(len(parts) <= _MAX_KEY, 'a key')
        for part in parts:
            if type(part) not in _SCALARS:
                raise RefusedPickle(f'a key of type {type(part).__name__}')
        yield item


def shape(items: Any) -> tuple[int, ...]:
    """Give a shape, an offset or strides.

    Args:
        items: A tuple of whole numbers from 0 to 2**48.

    Returns:
        tuple[int, ...]: The same.

    Raises:
        UnpicklingError: If it is something else.
    """
    expect(
        isinstance(items, tuple)
        and all(type(x) is int and 0 <= x < _MAX_NUMEL for x in items),
        'a shape',
    )
    return tuple(items)


def count(sizes: tuple[int, ...]) -> int:
    """Count the numbers of a shape.

    Args:
        sizes (tuple[int, ...]): From :func:`shape`.

    Returns:
        int: Their product.

    Raises:
        UnpicklingError: If no memory holds so many.
    """
    numel = math.prod(sizes)
    expect(numel < _MAX_NUMEL, 'a shape')
    return numel
