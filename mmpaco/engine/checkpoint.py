"""Reading checkpoints without running what is in them."""

from __future__ import annotations

import codecs
import pickle
import re
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO, Union

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.utils import digit_version

__all__ = ['load_checkpoint']


def load_checkpoint(
    path: Union[str, Path], trust: bool = False
) -> dict[str, Any]:
    """Read a checkpoint to the CPU, and refuse one that could run code.

    Weights, numbers, strings and the histories of mmengine's runner are read.
    A file with any other object is a program: reading it runs it.

    Args:
        path (str | Path): A local file.
        trust (bool): Whether to read any object, and so to run what the file
            says. Defaults to False.

    Returns:
        dict[str, Any]: The checkpoint.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file holds other objects, is cut short, or is no
            checkpoint.
    """
    path = Path(path).expanduser()
    with path.open('rb') as file:
        try:
            checkpoint = (
                torch.load(file, map_location='cpu', weights_only=False)
                if trust
                else _load_weights(file)
            )
        # What torch raises depends on where the damage is.
        except Exception as error:
            refused = re.search(r'GLOBAL (\S+)', str(error))
            if refused:
                raise ValueError(
                    f'{path} holds {refused[1]} beside weights; to read that '
                    'may run code of whoever wrote the file. Pass --trust '
                    '(trust=True) only if you trust them'
                ) from error
            raise ValueError(
                f'{path} cannot be read: it was cut short, is no checkpoint, '
                'or is not of the kind that torch.save writes today. Fetch '
                'it again; one of an older kind is read with --trust '
                '(trust=True), if you trust whoever wrote it'
            ) from error
    if not isinstance(checkpoint, dict):
        raise ValueError(
            f'{path} is no checkpoint: expected a dict, but it holds a '
            f'{type(checkpoint).__name__}'
        )
    return checkpoint


def _load_weights(file: BinaryIO) -> Any:
    if digit_version(torch.__version__) >= digit_version('2.6.0'):
        known: list[Any] = [(x, name) for name, x in _known_globals().items()]
        with torch.serialization.safe_globals(known):
            return torch.load(file, map_location='cpu', weights_only=True)
    # Before, weights_only cannot be told of other types; and it unpacks
    # archives of older kinds, which is where its holes were.
    with zipfile.ZipFile(file) as content:
        names = content.namelist()
    if any(name.endswith('constants.pkl') for name in names):
        raise pickle.UnpicklingError('a program of TorchScript')
    file.seek(0)
    return torch.load(file, map_location='cpu', pickle_module=_OldTorch)


def _known_globals() -> dict[str, Any]:
    """Give what the runner saves beside weights, by its name in the file."""
    known: dict[str, Any] = {
        'mmengine.logging.history_buffer.HistoryBuffer': HistoryBuffer,
        '__builtin__.getattr': _statistic,
        'builtins.getattr': _statistic,
        'numpy.dtype': np.dtype,
        'numpy.ndarray': np.ndarray,
    }
    # A file of numpy 1 is read by numpy 2, and the other way round.
    for core in ('numpy.core', 'numpy._core'):
        known[f'{core}.multiarray.scalar'] = np.float64().__reduce__()[0]
        known[f'{core}.multiarray._reconstruct'] = np.empty(0).__reduce__()[0]
    for name in ('bool', 'float32', 'float64', 'int32', 'int64'):
        kind = type(np.dtype(name))
        known[f'{kind.__module__}.{kind.__qualname__}'] = kind
    return known


def _statistic(owner: Any, name: str) -> Any:
    """Stand for ``getattr``, by which a history names its statistics.

    The true one would hand out anything: ``eval`` is an attribute of
    ``getattr.__self__``.
    """
    if owner is HistoryBuffer and name in ('min', 'max', 'current', 'mean'):
        return getattr(owner, name)
    raise pickle.UnpicklingError('GLOBAL builtins.getattr is refused')


class _OldTorch:
    """What ``torch.load`` takes for the module pickle."""

    __name__ = 'pickle'

    class Unpickler(pickle.Unpickler):
        """Finds what a checkpoint needs, and nothing else."""

        def find_class(self, module: str, name: str) -> Any:
            """Give what stands for a name."""
            found = {
                **_known_globals(),
                '_codecs.encode': codecs.encode,
                'collections.OrderedDict': OrderedDict,
                'torch._utils._rebuild_parameter': (
                    torch._utils._rebuild_parameter
                ),
                'torch._utils._rebuild_tensor_v2': (
                    torch._utils._rebuild_tensor_v2
                ),
            }.get(f'{module}.{name}')
            if found is None:
                raise pickle.UnpicklingError(f'GLOBAL {module}.{name}')
            return found
