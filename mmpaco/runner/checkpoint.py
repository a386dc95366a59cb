"""Reading files of weights and results without running what is in them."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import torch

from mmpaco.files import PathLike

from .pickles.parts import RefusedPickle
from .pickles.saved_file import read_pickled, read_saved

__all__ = ['load_checkpoint', 'load_pickle']


def load_checkpoint(path: PathLike, trust: bool = False) -> dict[str, Any]:
    """Read a checkpoint to the CPU, and refuse one that could run code.

    Weights, numbers, strings and the histories of mmengine's runner are read.
    A file with any other object is a program: reading it runs it.

    Args:
        path (str | PathLike): A local file.
        trust (bool): Whether to read any object, and so to run what the file
            says. Defaults to False.

    Returns:
        dict[str, Any]: The checkpoint.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file holds other objects, is cut short, or is no
            checkpoint.
    """
    checkpoint = _load(path, _load_all if trust else read_saved)
    if not isinstance(checkpoint, dict):
        raise ValueError(
            f'{path} is no checkpoint: expected a dict, but it holds a '
            f'{type(checkpoint).__name__}'
        )
    return checkpoint


def load_pickle(path: PathLike, trust: bool = False) -> Any:
    """Read a pickle of numbers, strings, tensors and arrays.

    Args:
        path (str | PathLike): A local file.
        trust (bool): Whether to read any object, and so to run what the file
            says. Defaults to False.

    Returns:
        What is in it.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file holds other objects or is cut short.
    """
    return _load(path, pickle.load if trust else read_pickled)


def _load_all(file: BinaryIO) -> Any:
    return torch.load(file, map_location='cpu', weights_only=False)


def _load(path: PathLike, read: Callable[[BinaryIO], Any]) -> Any:
    path = Path(path).expanduser()
    with path.open('rb') as file:
        try:
            return read(file)
        except RefusedPickle as error:
            raise ValueError(
                f'{path} holds {error.name} beside numbers and strings; to '
                'read that may run code of whoever wrote the file. Pass '
                '--trust (trust=True) only if you trust them'
            ) from error
        # What is raised depends on where the damage is.
        except Exception as error:
            raise ValueError(
                f'{path} cannot be read: it was cut short or changed, or is '
                'not what torch.save or pickle writes today. Fetch it again; '
                'a file of another kind is read with --trust (trust=True), if '
                'you trust whoever wrote it'
            ) from error
