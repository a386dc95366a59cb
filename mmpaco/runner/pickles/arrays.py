"""Numeric arrays of numpy, and what makes them.

numpy's own functions take bytes of a file for the addresses of objects.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from .parts import Known, RefusedPickle, count, expect, shape

__all__ = ['NAMES', 'STATES']


def _dtype(code: Any, align: Any = False, copy: Any = True) -> np.dtype[Any]:
    expect(type(code) is str, 'a type of numbers')
    if not re.fullmatch('[biufc][0-9]{1,2}', code):
        raise RefusedPickle(f'numpy.dtype({code!r})')
    # A copy, since its byte order may be set.
    made: np.dtype[Any] = np.dtype(code, False, True)
    return made


def _set_dtype(dtype: Any, state: Any) -> None:
    """Set a byte order; any other state could make a type of objects."""
    expect(
        type(state) is tuple
        # Of a tensor, a comparison would be as large as the tensor.
        and [type(x) for x in state] == _STATE_TYPES
        and state[1] in ('<', '>', '|', '=')
        and state == (3, state[1], None, None, None, -1, -1, 0),
        'a type of numbers',
    )
    dtype.__setstate__(state)


def _reconstruct(kind: Any, sizes: Any, code: Any) -> np.ndarray[Any, Any]:
    """Stand for numpy's function of this name: an array to be filled."""
    expect(kind is _NDARRAY and shape(sizes) == (0,), 'an array')
    expect(type(code) is bytes and code == b'b', 'an array')
    return np.empty(0, 'b')


def _frombuffer(
    content: Any, dtype: Any, sizes: Any, order: Any
) -> np.ndarray[Any, Any]:
    """Stand for numpy's function of this name, of pickles of protocol 5."""
    expect(type(content) in (bytes, bytearray), 'an array')
    expect(type(order) is str and order in ('C', 'F'), 'an array')
    _check_numbers(dtype, bytes(content), count(shape(sizes)))
    return np.frombuffer(content, dtype).reshape(sizes, order=order).copy()


def _set_array(array: Any, state: Any) -> None:
    expect(type(state) is tuple and len(state) == 5, 'an array')
    _, sizes, dtype, is_fortran, content = state
    _check_numbers(dtype, content, count(shape(sizes)))
    expect(type(is_fortran) in (bool, int), 'an array')
    array.__setstate__((1, sizes, dtype, is_fortran, content))


def _scalar(dtype: Any, content: Any) -> Any:
    """Stand for numpy's function of this name."""
    _check_numbers(dtype, content, 1)
    return np.frombuffer(content, dtype)[0]


def _check_numbers(dtype: Any, content: Any, number: int) -> None:
    expect(
        isinstance(dtype, np.dtype)
        and dtype.kind in 'biufc'
        and type(content) is bytes
        and len(content) == number * dtype.itemsize,
        'an array',
    )


_STATE_TYPES = [int, str, *[type(None)] * 3, int, int, int]
_NDARRAY = Known('numpy.ndarray')

#: For a type of objects, what sets the state of one.
STATES: dict[type, Callable[[Any, Any], None]] = {
    np.ndarray: _set_array,
    # In numpy 2 each type of numbers has a class of its own.
    **{type(np.dtype(code)): _set_dtype for code in '?bBhHiIlLqQefdgFDG'},
}

#: What a full name stands for.
NAMES: dict[str, Any] = {
    known.name: known
    for known in (
        _NDARRAY,
        Known('numpy.dtype', _dtype),
        # A file of numpy 1 is read by numpy 2, and the other way round.
        *(
            Known(f'{core}.{name}', call)
            for core in ('numpy.core', 'numpy._core')
            for name, call in (
                ('multiarray.scalar', _scalar),
                ('multiarray._reconstruct', _reconstruct),
                ('numeric._frombuffer', _frombuffer),
            )
        ),
    )
}
