"""The data that checkpoints and predictions hold, and what makes it.

No function that a file names is called. Those here stand for them, and look at
each argument.
"""

from __future__ import annotations

import argparse
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler
from torch import Tensor, nn

from . import arrays
from .parts import Known, RefusedPickle, count, damaged, expect, keys, shape

__all__ = ['NAMES', 'STATES', 'StorageType', 'Stored']


class StorageType(NamedTuple):
    """What stands for one of torch's classes of storages.

    Args:
        dtype (torch.dtype): The type of their numbers.
    """

    dtype: torch.dtype


class Stored(NamedTuple):
    """The memory of tensors.

    Args:
        memory (torch.UntypedStorage): The memory.
        dtype (torch.dtype): The type of the numbers in it.
    """

    memory: torch.UntypedStorage
    dtype: torch.dtype


def _ordered_dict(pairs: Any = ()) -> OrderedDict[Any, Any]:
    made: OrderedDict[Any, Any] = OrderedDict()
    for pair in _items(pairs):
        key, value = _items(pair)
        made.update(zip(keys([key]), [value]))
    return made


def _set_ordered_dict(target: OrderedDict[Any, Any], state: Any) -> None:
    # A state dict carries the versions of its modules like this.
    expect(type(state) is dict and set(state) == {'_metadata'}, 'a dict')
    target.__dict__.update(state)


def _counter(counts: Any = None) -> Counter[Any]:
    expect(type(counts) in (dict, type(None)), 'a Counter')
    return Counter(counts)


def _set(items: Any = ()) -> set[Any]:
    return set(keys(_items(items)))


def _frozenset(items: Any = ()) -> frozenset[Any]:
    return frozenset(keys(_items(items)))


def _items(items: Any) -> Any:
    expect(type(items) in (list, tuple), 'a list')
    return items


def _bytes() -> bytes:
    return b''


def _encode(text: Any, encoding: Any) -> bytes:
    """Stand for ``_codecs.encode``, by which older pickles write bytes."""
    expect(type(text) is type(encoding) is str, 'bytes')
    expect(encoding == 'latin1', 'bytes')
    return bytes(text, 'latin1')


def _attribute(owner: Any, name: Any) -> Any:
    """Stand for ``getattr``, by which functions of a class are named.

    The true one would hand out anything: ``eval`` is an attribute of
    ``getattr.__self__``.
    """
    if type(owner) is Known and type(name) is str:
        found = _FUNCTIONS.get(f'{owner.name}.{name}')
        if found is not None:
            return found
    raise RefusedPickle('builtins.getattr')


def _history() -> HistoryBuffer:
    return HistoryBuffer()


def _set_history(history: HistoryBuffer, state: Any) -> None:
    expect(type(state) is dict, 'a history')
    logs, counts = state.get('_log_history'), state.get('_count_history')
    expect(
        type(logs) is type(counts) is np.ndarray
        and logs.shape == counts.shape == (logs.size,),
        'a history',
    )
    expect(type(state.get('max_length')) is int, 'a history')
    history._log_history, history._count_history = logs, counts
    history.max_length = state['max_length']


def _size(items: Any) -> torch.Size:
    return torch.Size(shape(items))


def _device(kind: Any, index: Any = None) -> torch.device:
    expect(type(kind) is str and type(index) in (int, type(None)), 'a device')
    return torch.device(kind, index)


def _tensor(
    stored: Any,
    offset: Any,
    size: Any,
    stride: Any,
    requires_grad: Any = False,
    hooks: Any = None,
    metadata: Any = None,
) -> Tensor:
    """Stand for ``torch._utils._rebuild_tensor_v2``."""
    expect(isinstance(stored, Stored), 'a storage')
    (offset,), size, stride = shape((offset,)), shape(size), shape(stride)
    expect(len(size) == len(stride) <= 64, 'a shape')
    expect(type(hooks) in (OrderedDict, dict, type(None)), 'a tensor')
    if hooks or metadata is not None:
        raise RefusedPickle('a tensor with hooks or metadata')
    numel = count(size)
    end = offset + sum((n - 1) * step for n, step in zip(size, stride)) + 1
    if numel and end * stored.dtype.itemsize > stored.memory.nbytes():
        damaged('a tensor that is larger than its storage')
    made = torch.empty(0, dtype=stored.dtype)
    made.set_(stored.memory, offset if numel else 0, size, stride)
    return made.requires_grad_() if requires_grad is True else made


def _parameter(data: Any, requires_grad: Any, hooks: Any) -> nn.Parameter:
    """Stand for ``torch._utils._rebuild_parameter``."""
    expect(type(data) is Tensor, 'a parameter')
    expect(type(hooks) in (OrderedDict, dict) and not hooks, 'a parameter')
    return nn.Parameter(data, requires_grad is True)


def _set_namespace(target: argparse.Namespace, state: Any) -> None:
    # The options of timm, and of what was made from it.
    expect(type(state) is dict, 'a Namespace')
    expect(all(type(x) is str for x in state), 'a Namespace')
    vars(target).update(state)


_HISTORY = Known('mmengine.logging.history_buffer.HistoryBuffer', new=_history)
_NAMESPACE = Known('argparse.Namespace', new=argparse.Namespace)
# Classes whose functions are among the state of what is saved, but that are
# made by nobody.
_ONE_CYCLE = Known(
    'mmengine.optim.scheduler.param_scheduler.OneCycleParamScheduler'
)
_FUNCTIONS = {
    f'{known.name}.{name}': getattr(owner, name)
    for known, owner, names in (
        (_HISTORY, HistoryBuffer, ('min', 'max', 'current', 'mean')),
        (
            _ONE_CYCLE,
            OneCycleParamScheduler,
            ('_annealing_cos', '_annealing_linear'),
        ),
    )
    for name in names
}

#: For a type of objects, what sets the state of one.
STATES: dict[type, Callable[[Any, Any], None]] = {
    OrderedDict: _set_ordered_dict,
    HistoryBuffer: _set_history,
    argparse.Namespace: _set_namespace,
    **arrays.STATES,
}

#: What a full name stands for.
NAMES: dict[str, Any] = {**arrays.NAMES, **_FUNCTIONS}
NAMES |= {
    f'torch.{name}': getattr(torch, name)
    for name in (
        'float16 float32 float64 bfloat16 uint8 int8 int16 int32 int64 bool '
        'complex64 complex128'
    ).split()
}
NAMES |= {
    f'torch.{name}Storage': StorageType(dtype)
    for name, dtype in dict(
        Half=torch.float16,
        Float=torch.float32,
        Double=torch.float64,
        BFloat16=torch.bfloat16,
        Byte=torch.uint8,
        Char=torch.int8,
        Short=torch.int16,
        Int=torch.int32,
        Long=torch.int64,
        Bool=torch.bool,
        ComplexFloat=torch.complex64,
        ComplexDouble=torch.complex128,
    ).items()
}
NAMES |= {
    known.name: known
    for known in (
        _HISTORY,
        _NAMESPACE,
        _ONE_CYCLE,
        Known('collections.OrderedDict', _ordered_dict),
        Known('collections.Counter', _counter),
        Known('_codecs.encode', _encode),
        Known('torch.Size', _size),
        Known('torch.device', _device),
        Known('torch._utils._rebuild_tensor_v2', _tensor),
        Known('torch._utils._rebuild_parameter', _parameter),
        # Python 3 writes the names of Python 2 up to protocol 2.
        *(
            Known(f'{builtins}.{name}', call)
            for builtins in ('builtins', '__builtin__')
            for name, call in (
                ('getattr', _attribute),
                ('set', _set),
                ('frozenset', _frozenset),
                ('bytes', _bytes),
            )
        ),
    )
}
