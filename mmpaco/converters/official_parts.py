"""Parts of the papers' released weights: projector and queue."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Optional

import torch
from torch import Tensor

__all__ = ['Conversion', 'State', 'move_mlp', 'move_queue']

State = Mapping[str, Tensor]

_MLP = re.compile(
    r'(?P<mlp>.*?)\.?(?P<index>\d+)(\.(?P<part>conv|bn))?\.(?P<end>\w+)'
)


@dataclass
class Conversion:
    """Converted weights, and what became of every name.

    Args:
        weights: The weights by our names.
        moved: Our name of each name of the release.
        dropped: The reason for each name that was left out.
        added: The reason for each of our names that was given a value.
        missing: The reason for each of our names without a value.
    """

    weights: dict[str, Tensor] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)
    added: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def move(self, old: str, new: str, value: Tensor) -> None:
        """Take a weight over."""
        self.weights[new] = value
        self.moved[old] = new

    def add(self, new: str, value: Tensor, reason: str) -> None:
        """Set a value that the release lacks."""
        self.weights[new] = value
        self.added[new] = reason

    def __str__(self) -> str:
        lines = [f'converted  {x} -> {y}' for x, y in self.moved.items()]
        for title in ('dropped', 'added', 'missing'):
            lines += [
                f'{title:9}  {name}: {reason}'
                for name, reason in getattr(self, title).items()
            ]
        lines.append(
            f'{len(self.moved)} converted, {len(self.dropped)} dropped, '
            f'{len(self.added)} added, {len(self.missing)} missing'
        )
        return '\n'.join(lines)


def move_mlp(
    values: State,
    full: Mapping[str, str],
    done: Conversion,
    target: str,
    layer: str,
    norm: str,
) -> list[str]:
    """Take the layers of one multi-layer perceptron over.

    Args:
        values: All that is believed to be of it.
        full: The names in the file.
        done: The conversion that gets them.
        target: Our name of the perceptron.
        layer: Our name of the layer in a step.
        norm: Our name of the norm in a step.

    Returns:
        list[str]: All names, if they are not those of one perceptron.
    """
    if not values:
        return []
    steps: dict[tuple[int, bool], dict[str, tuple[str, Tensor]]] = {}
    prefixes = set()
    for name, value in values.items():
        found = _MLP.fullmatch(name)
        single = re.fullmatch(r'(.*)\.(weight|bias)', name)
        if found:
            prefix, index, end = (
                found['mlp'],
                int(found['index']),
                found['end'],
            )
            is_norm = found['part'] == 'bn'
        elif single:
            prefix, index, end, is_norm = single[1], 0, single[2], False
        else:
            return list(values)
        prefixes.add(prefix)
        steps.setdefault((index, is_norm), {})[end] = (name, value)
    ordered = [steps[key] for key in sorted(steps)]
    if len(prefixes) > 1 or any('weight' not in step for step in ordered):
        return list(values)
    linear = [step['weight'][1].dim() > 1 for step in ordered]
    shapes = [
        step['weight'][1].shape
        for step, is_layer in zip(ordered, linear)
        if is_layer
    ]
    if (
        not linear[0]
        or not linear[-1]
        or any(a[0] != b[1] for a, b in zip(shapes, shapes[1:]))
    ):
        return list(values)
    number = -1
    for step, is_layer in zip(ordered, linear):
        number += is_layer
        inner = f'.{layer if is_layer else norm}'
        if is_layer and number == len(shapes) - 1:
            inner = ''
        for end, (name, value) in step.items():
            done.move(full[name], f'{target}.{number}{inner}.{end}', value)
    return []


def move_queue(bare: State, full: Mapping[str, str], done: Conversion) -> None:
    """Take the rows of a queue over that training has written.

    Args:
        bare: All weights.
        full: The names in the file.
        done: The conversion that gets them.

    Raises:
        ValueError: If the buffers are not those of a queue.
    """
    names = [name for name in bare if name.startswith('queue')]
    rows = _one(bare, names, lambda x: x.dim() == 2)
    pointer = _one(bare, names, lambda x: x.numel() == 1)
    labels = _one(bare, names, lambda x: x.dim() == 1 and x.numel() > 1)
    if not names:
        return
    if len(names) != 3 or rows is None or pointer is None or labels is None:
        found = [f'{full[x]} {tuple(bare[x].shape)}' for x in names]
        raise ValueError(
            'expected the rows of a queue, their labels and a pointer, but '
            f'got {", ".join(found)}'
        )
    values, position = bare[rows].float(), int(bare[pointer])
    if len(values) != len(bare[labels]):
        values = values.t()
    if len(values) != len(bare[labels]) or not 0 <= position < len(values):
        raise ValueError(
            f'expected as many rows as labels and a pointer to one, but got '
            f'{full[rows]} {tuple(bare[rows].shape)}, {len(bare[labels])} '
            f'labels and the pointer {position}'
        )
    written = (values.norm(dim=1) - 1).abs() < 1e-3
    filled = int(written.sum())
    if filled not in (len(values), position) or not bool(
        written[:filled].all()
    ):
        for name in names:
            done.dropped[full[name]] = (
                f'{filled} of {len(values)} rows have unit length, which does '
                f'not fit a pointer at {position}; the queue starts empty'
            )
        return
    kept = torch.arange(len(values)) < filled
    done.move(full[rows], 'head.queue.rows', values * kept[:, None])
    done.move(
        full[labels],
        'head.queue.labels',
        bare[labels].long().masked_fill(~kept, -1),
    )
    done.move(full[pointer], 'head.queue.pointer', torch.tensor(position))
    done.add(
        'head.queue.filled',
        torch.tensor(filled),
        f'{filled} of {len(values)} rows have unit length; the others are '
        'random, were never written, and are zero now',
    )


def _one(
    bare: State, names: list[str], fits: Callable[[Tensor], bool]
) -> Optional[str]:
    found = [name for name in names if fits(bare[name])]
    return found[0] if len(found) == 1 else None
