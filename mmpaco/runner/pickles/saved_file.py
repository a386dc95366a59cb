"""What ``torch.save`` and ``pickle`` wrote, read as data.

PyTorch's own reader of weights calls the functions that a file names, once
they are allowed; before version 2.6 it cannot be told of others than its own,
and version 2.1 takes the sizes of storages on trust.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import Any, BinaryIO

import torch

from mmpaco.files import open_archive

from .data import NAMES, STATES, StorageType, Stored
from .machine import Language
from .parts import Known, expect

__all__ = ['read_pickled', 'read_saved']

# What begins a file of the kind that torch.save wrote before PyTorch 1.6.
_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001


def read_saved(file: BinaryIO) -> Any:
    """Read what ``torch.save`` wrote, with all tensors on the CPU.

    Args:
        file (BinaryIO): The file, of today's kind or of that before PyTorch
            1.6.

    Returns:
        What was saved.

    Raises:
        RefusedPickle: If it holds what is not data.
        Exception: Of any kind, if the file is damaged or of another kind.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    start = file.read(2)
    file.seek(0)
    read = _read_archive if start == b'PK' else _read_stream
    return read(file, size)


def read_pickled(file: BinaryIO) -> Any:
    """Read what ``pickle`` wrote, with all tensors on the CPU.

    Args:
        file (BinaryIO): The file.

    Returns:
        What was pickled.

    Raises:
        RefusedPickle: If it holds what is not data.
        Exception: Of any kind, if the file is damaged.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    return _DATA.read(file, size)


def _read_archive(file: BinaryIO, size: int) -> Any:
    with open_archive(file) as archive:
        entries = archive.infolist()
        names = {entry.filename for entry in entries}
        expect(
            len(names) == len(entries)
            and sum(entry.file_size for entry in entries) <= size
            and not any(entry.compress_type for entry in entries),
            'an archive',
        )
        (content,) = (name for name in names if name.endswith('/data.pkl'))
        root = content[: -len('data.pkl')]
        expect(f'{root}constants.pkl' not in names, 'an archive')
        order = f'{root}byteorder'
        if order in names:
            _check_order(archive.read(order) == sys.byteorder.encode())

        def fill(key: str, num_bytes: int) -> torch.UntypedStorage:
            numbers = bytearray(archive.read(f'{root}data/{key}'))
            expect(len(numbers) == num_bytes, 'a storage')
            if not numbers:
                return _memory(0)
            return torch.frombuffer(
                numbers, dtype=torch.uint8
            ).untyped_storage()

        pickled = archive.read(content)
        return _DATA.read(io.BytesIO(pickled), len(pickled), _Storages(fill))


def _read_stream(file: BinaryIO, size: int) -> Any:
    """Read the kind of file that is several pickles and then the numbers."""
    for what, number in (('start', _MAGIC), ('version', _VERSION)):
        read = _PLAIN.read(file, size)
        expect(type(read) is int and read == number, f'the {what} of the file')
    machine = _PLAIN.read(file, size)
    expect(type(machine) is dict, 'the order of bytes')
    _check_order(machine['little_endian'] is (sys.byteorder == 'little'))
    left = size

    def take(key: str, num_bytes: int) -> torch.UntypedStorage:
        nonlocal left
        left -= num_bytes
        expect(left >= 0, 'a storage')
        return _memory(num_bytes)

    storages = _Storages(take)
    # In here no storage is pickled by itself, so that none can be nested.
    content = _PLAIN.read(file, size, storages)
    stored = storages.known
    order = _PLAIN.read(file, size)
    expect(
        type(order) is list
        and all(type(key) is str for key in order)
        and sorted(order) == sorted(stored),
        'the list of storages',
    )
    for key in order:
        memory, dtype = stored[key]
        numel = int.from_bytes(file.read(8), sys.byteorder)
        expect(numel * dtype.itemsize == memory.nbytes(), 'a storage')
        numbers = torch.empty(0, dtype=torch.uint8).set_(memory)
        found = file.read(memory.nbytes())
        expect(len(found) == memory.nbytes(), 'a storage')
        if found:
            numbers.copy_(
                torch.frombuffer(bytearray(found), dtype=torch.uint8)
            )
    return content


def _memory(num_bytes: int) -> torch.UntypedStorage:
    return torch.empty(num_bytes, dtype=torch.uint8).untyped_storage()


def _check_order(is_mine: bool) -> None:
    expect(is_mine, 'the order of bytes')


class _Storages:
    """Gives the memory that a persistent id stands for.

    Args:
        make (Callable): Makes the memory of a key, of so many bytes.
    """

    def __init__(
        self, make: Callable[[str, int], torch.UntypedStorage]
    ) -> None:
        self.known: dict[str, Stored] = {}
        self.make = make

    def __call__(self, pid: Any) -> Stored:
        expect(type(pid) is tuple and len(pid) in (5, 6), 'a persistent id')
        kind, storage_type, key, _, numel, *view = pid
        expect(type(kind) is str and kind == 'storage', 'a persistent id')
        expect(not view or view[0] is None, 'a persistent id')
        expect(isinstance(storage_type, StorageType), 'a class of storages')
        expect(type(key) is str, 'the key of a storage')
        expect(type(numel) is int and numel >= 0, 'the size of a storage')
        dtype = storage_type.dtype
        num_bytes = numel * dtype.itemsize
        if key not in self.known:
            self.known[key] = Stored(self.make(key, num_bytes), dtype)
        memory = self.known[key].memory
        expect(memory.nbytes() == num_bytes, 'a storage')
        return Stored(memory, dtype)


def _load_from_bytes(content: Any) -> Any:
    """Stand for how a storage is pickled outside of ``torch.save``."""
    expect(type(content) is bytes, 'a storage')
    return _read_stream(io.BytesIO(content), len(content))


_PLAIN = Language(NAMES, STATES)
_DATA = Language(
    {
        **NAMES,
        'torch.storage._load_from_bytes': Known(
            'torch.storage._load_from_bytes', _load_from_bytes
        ),
    },
    STATES,
)
