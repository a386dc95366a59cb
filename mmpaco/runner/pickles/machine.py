"""A stack machine that reads a pickle as data.

A pickle is a program: it may call whatever it can name. This machine builds
containers, numbers and strings, and knows no names but those of a table, which
gives what stands for the functions that data needs.
"""

from __future__ import annotations

import pickletools
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, NamedTuple, Optional

from .parts import Known, RefusedPickle, damaged, expect, keys

__all__ = ['Language']

_ARGUMENTS = frozenset(
    'BININT BININT1 BININT2 LONG1 LONG4 BINFLOAT BINUNICODE SHORT_BINUNICODE '
    'BINUNICODE8 BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8'.split()
)
_CONSTANTS = {'NONE': None, 'NEWTRUE': True, 'NEWFALSE': False}
_CONTAINERS: dict[str, Callable[[], Any]] = {
    'EMPTY_DICT': dict,
    'EMPTY_LIST': list,
    'EMPTY_SET': set,
    'EMPTY_TUPLE': tuple,
}
_TUPLES = {'TUPLE1': 1, 'TUPLE2': 2, 'TUPLE3': 3}
_SIZED = (str, bytes, bytearray, list, tuple, dict, set, frozenset)


class Language(NamedTuple):
    """What pickles may speak of.

    Args:
        names (Mapping): What a full name stands for: a :class:`Known`, or a
            constant.
        states (Mapping): For a type of objects, what sets the state of one.
    """

    names: Mapping[str, Any]
    states: Mapping[type, Callable[[Any, Any], None]]

    def read(
        self,
        stream: BinaryIO,
        size: int,
        storage: Optional[Callable[[Any], Any]] = None,
    ) -> Any:
        """Read one pickle and leave the stream behind it.

        Args:
            stream (BinaryIO): Where it begins.
            size (int): Bytes of the file. What calls are given may be eight
                times as large; so none can fill the memory by copying one
                string again and again.
            storage (Callable, optional): Gives what a persistent id stands
                for. Defaults to None: there are none.

        Returns:
            What the pickle holds.

        Raises:
            RefusedPickle: If it holds what is not data.
            Exception: Of any kind, if the pickle is damaged.
        """
        return _Machine(self, size, storage).run(stream)


class _Machine:
    """Runs one pickle; the arguments are those of ``Language.read``."""

    def __init__(
        self,
        language: Language,
        size: int,
        storage: Optional[Callable[[Any], Any]],
    ) -> None:
        self.language = language
        self.storage = storage
        self.left = 8 * size + 4096
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def run(self, stream: BinaryIO) -> Any:
        for opcode, arg, _ in pickletools.genops(stream):
            name = opcode.name
            if name in _ARGUMENTS:
                self.stack.append(arg)
            elif name in _CONSTANTS:
                self.stack.append(_CONSTANTS[name])
            elif name in _CONTAINERS:
                self.stack.append(_CONTAINERS[name]())
            elif name in _TUPLES:
                self.stack.append(tuple(self.pop(_TUPLES[name])))
            elif name in _ACTIONS:
                _ACTIONS[name](self, arg)
            else:
                damaged(f'the operation {name}')
        (content,) = self.stack
        return content

    def pop(self, count: int) -> list[Any]:
        items = self.stack[-count:]
        expect(len(items) == count, 'the stack')
        del self.stack[-count:]
        return items

    def pop_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.marks.pop()
        return items

    def nothing(self, arg: Any) -> None:
        """Versions, frames and the end, which genops sees by itself."""

    def mark(self, arg: Any) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def put(self, arg: int) -> None:
        self.memo[arg] = self.stack[-1]

    def memoize(self, arg: Any) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def get(self, arg: int) -> None:
        self.stack.append(self.memo[arg])

    def tuple_of(self, arg: Any) -> None:
        items = tuple(self.pop_mark())
        self.stack.append(items)

    def frozenset_of(self, arg: Any) -> None:
        items = frozenset(keys(self.pop_mark()))
        self.stack.append(items)

    def append(self, arg: Any) -> None:
        self.extend(self.pop(1))

    def appends(self, arg: Any) -> None:
        self.extend(self.pop_mark())

    def extend(self, items: list[Any]) -> None:
        expect(type(self.stack[-1]) is list, 'a list')
        self.stack[-1].extend(items)

    def add_items(self, arg: Any) -> None:
        items = self.pop_mark()
        expect(type(self.stack[-1]) is set, 'a set')
        self.stack[-1].update(keys(items))

    def set_item(self, arg: Any) -> None:
        self.update(self.pop(2))

    def set_items(self, arg: Any) -> None:
        self.update(self.pop_mark())

    def update(self, items: list[Any]) -> None:
        target = self.stack[-1]
        expect(type(target) in (dict, OrderedDict, Counter), 'a dict')
        expect(len(items) % 2 == 0, 'a dict')
        for key, value in zip(keys(items[::2]), items[1::2]):
            target[key] = value

    def named(self, arg: str) -> None:
        self.find(*arg.split(' ', 1))

    def named_on_stack(self, arg: Any) -> None:
        self.find(*self.pop(2))

    def find(self, module: Any, name: Any) -> None:
        expect(type(module) is str and type(name) is str, 'a name')
        full = f'{module}.{name}'
        if full not in self.language.names:
            raise RefusedPickle(full)
        self.stack.append(self.language.names[full])

    def call(self, arg: Any) -> None:
        called, args = self.pop(2)
        self.make(called, args, 'call')

    def new(self, arg: Any) -> None:
        called, args = self.pop(2)
        self.make(called, args, 'new')

    def make(self, called: Any, args: Any, how: str) -> None:
        function = getattr(called, how) if type(called) is Known else None
        if function is None:
            raise RefusedPickle(_name(called))
        expect(type(args) is tuple, 'arguments')
        self.spend(args)
        self.stack.append(function(*args))

    def set_state(self, arg: Any) -> None:
        (state,) = self.pop(1)
        target = self.stack[-1]
        function = self.language.states.get(type(target))
        if function is None:
            raise RefusedPickle(_name(target))
        if type(state) is tuple:
            self.spend(state)
        function(target, state)

    def persistent(self, arg: Any) -> None:
        (pid,) = self.pop(1)
        if self.storage is None:
            damaged('a persistent id')
        self.stack.append(self.storage(pid))

    def spend(self, items: tuple[Any, ...]) -> None:
        """Count what a call may copy."""
        self.left -= len(items) + sum(
            len(x) for x in items if type(x) in _SIZED
        )
        if self.left < 0:
            damaged('the same content again and again')


def _name(found: Any) -> str:
    return found.name if type(found) is Known else type(found).__name__


_ACTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    **dict.fromkeys(('PROTO', 'FRAME', 'STOP'), _Machine.nothing),
    **dict.fromkeys(('BINPUT', 'LONG_BINPUT'), _Machine.put),
    **dict.fromkeys(('BINGET', 'LONG_BINGET'), _Machine.get),
    'MEMOIZE': _Machine.memoize,
    'MARK': _Machine.mark,
    'TUPLE': _Machine.tuple_of,
    'FROZENSET': _Machine.frozenset_of,
    'APPEND': _Machine.append,
    'APPENDS': _Machine.appends,
    'ADDITEMS': _Machine.add_items,
    'SETITEM': _Machine.set_item,
    'SETITEMS': _Machine.set_items,
    'GLOBAL': _Machine.named,
    'STACK_GLOBAL': _Machine.named_on_stack,
    'REDUCE': _Machine.call,
    'NEWOBJ': _Machine.new,
    'BUILD': _Machine.set_state,
    'BINPERSID': _Machine.persistent,
}
