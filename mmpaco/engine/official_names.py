"""The names of the papers' released weights, and ours."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Optional

import torch
from torch import Tensor

__all__ = ['Conversion', 'convert_names']

State = Mapping[str, Tensor]

_RESNET = re.compile(
    r'(conv1|bn1|layer[1-4]\.\d+\.(conv[123]|bn[123]|(downsample|shortcut)'
    r'\.[01]))\.\w+'
)
# The release's are those of a fork of MMSegmentation 0.18, whose names
# MMSegmentation 1.x kept.
_SEG_BACKBONE = re.compile(
    r'backbone\.(stem|conv1|bn1|layer[1-4]|patch_embed|stages|norm[0-3]'
    r'|absolute_pos_embed)\b.*'
)
_SEG_HEAD = re.compile(
    r'decode_head\.(conv_seg|psp_modules|bottleneck|lateral_convs|fpn_convs'
    r'|fpn_bottleneck|image_pool|aspp_modules|c1_bottleneck|sep_bottleneck)'
    r'\..*'
)
_VIT = (
    (re.compile(r'(cls_token|pos_embed)'), r'backbone.\1'),
    (
        re.compile(r'patch_embed\.proj\.(\w+)'),
        r'backbone.patch_embed.projection.\1',
    ),
    (
        re.compile(r'blocks\.(\d+)\.norm([12])\.(\w+)'),
        r'backbone.layers.\1.ln\2.\3',
    ),
    (
        re.compile(r'blocks\.(\d+)\.attn\.(qkv|proj)\.(\w+)'),
        r'backbone.layers.\1.attn.\2.\3',
    ),
    (
        re.compile(r'blocks\.(\d+)\.mlp\.fc1\.(\w+)'),
        r'backbone.layers.\1.ffn.layers.0.0.\2',
    ),
    (
        re.compile(r'blocks\.(\d+)\.mlp\.fc2\.(\w+)'),
        r'backbone.layers.\1.ffn.layers.1.\2',
    ),
    (re.compile(r'fc_norm\.(\w+)'), r'backbone.ln2.\1'),
    (re.compile(r'head\.(\w+)'), r'head.fc.\1'),
)
_MLP = re.compile(
    r'(?P<mlp>.*?)\.?(?P<index>\d+)(\.(?P<part>conv|bn))?\.(?P<end>\w+)'
)


@dataclass
class Conversion:
    """Converted weights, and what became of every name.

    Attributes:
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


def convert_names(state: State) -> Conversion:
    """Give the weights of a released model our names.

    PaCo and GPaCo with a ResNet (``encoder_q.*``), GPaCo with a ViT
    (``blocks.*``), and GPaCo in a segmentation model (``decode_head.*``).
    A multi-layer perceptron whose name the release alone knows is recognised
    by its layers.

    The release fills the queue with random rows, of length far below one,
    before training overwrites them in turn. Only rows of unit length were
    ever embeddings: they are taken over.

    Args:
        state (Mapping[str, Tensor]): State dict of the release, with or
            without ``module.`` before each name.

    Returns:
        Conversion: The weights, and what became of every name.

    Raises:
        ValueError: If it is another model or has a name that is not known.
    """
    # The report names what the file has.
    full = {_bare(name): name for name in state}
    bare = {name: state[old] for name, old in full.items()}
    done = Conversion()
    if any(name.startswith('encoder_q.') for name in bare):
        rest = _resnet(bare, full, done)
    elif any(name.startswith('decode_head.') for name in bare):
        rest = _segmentation(bare, full, done)
    elif any(name.startswith('blocks.') for name in bare):
        rest = _vit(bare, full, done)
    else:
        raise ValueError(
            "expected weights of the papers' release, with names such as "
            'encoder_q.*, decode_head.* or blocks.*, but got '
            f'{", ".join(list(state)[:3])}, ...'
        )
    if rest:
        names = ', '.join(full[name] for name in rest)
        raise ValueError(
            f'{len(rest)} names are not known: {names}; leave them out with '
            '--drop NAME (drop=) if the model can do without'
        )
    return done


def _bare(name: str) -> str:
    return name[len('module.') :] if name.startswith('module.') else name


def _resnet(
    bare: State, full: Mapping[str, str], done: Conversion
) -> list[str]:
    rest = []
    projectors: dict[str, dict[str, Tensor]] = {'q': {}, 'k': {}}
    for name, value in bare.items():
        encoder = re.match(r'encoder_([qk])\.', name)
        if encoder is not None:
            inner = name[len('encoder_q.') :]
            where = '' if encoder[1] == 'q' else 'momentum_encoder.module.'
            if _RESNET.fullmatch(inner):
                inner = inner.replace('.shortcut.', '.downsample.')
                done.move(full[name], f'{where}backbone.{inner}', value)
            elif re.match(r'(fc|linear)\.', inner):
                projectors[encoder[1]][name] = value
            else:
                rest.append(name)
        elif name in ('linear.weight', 'linear.bias'):
            done.move(full[name], f'head.fc.{name[7:]}', value)
        elif name.startswith('linear_k.'):
            done.dropped[full[name]] = (
                'a momentum copy of the classifier that nothing uses'
            )
        elif not name.startswith('queue'):
            rest.append(name)
    for encoder_name, values in projectors.items():
        where = (
            'head.projector.layers'
            if encoder_name == 'q'
            else 'momentum_encoder.module.projector.layers'
        )
        rest += _move_mlp(values, full, done, where, 'fc', 'norm')
    if projectors['k']:
        done.add(
            'momentum_encoder.steps',
            torch.tensor(1),
            'one, so that the next step averages and does not copy',
        )
    _move_queue(bare, full, done)
    _expect_prior(done)
    return rest


def _vit(bare: State, full: Mapping[str, str], done: Conversion) -> list[str]:
    unknown = {}
    for name, value in bare.items():
        for pattern, new in _VIT:
            found = pattern.fullmatch(name)
            if found:
                done.move(full[name], found.expand(new), value)
                break
        else:
            if not name.startswith('queue'):
                unknown[name] = value
    rest = _move_mlp(
        unknown, full, done, 'head.projector.layers', 'fc', 'norm'
    )
    _move_queue(bare, full, done)
    _expect_prior(done)
    return rest


def _segmentation(
    bare: State, full: Mapping[str, str], done: Conversion
) -> list[str]:
    unknown, rest = {}, []
    for name, value in bare.items():
        if _SEG_BACKBONE.fullmatch(name) or _SEG_HEAD.fullmatch(name):
            done.move(full[name], name, value)
        elif re.match(r'auxiliary_head\.(convs|conv_seg|conv_cat)\.', name):
            done.move(full[name], name.replace('_head.', '_head.0.', 1), value)
        elif name.startswith('decode_head.'):
            unknown[name] = value
        else:
            rest.append(name)
    return rest + _move_mlp(
        unknown, full, done, 'auxiliary_head.1.projector', 'conv', 'bn'
    )


def _move_mlp(
    values: State,
    full: Mapping[str, str],
    done: Conversion,
    target: str,
    layer: str,
    norm: str,
) -> list[str]:
    """Take the layers of one MLP over, or give all names back."""
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


def _move_queue(
    bare: State, full: Mapping[str, str], done: Conversion
) -> None:
    """Take the rows of a queue over that training has written."""
    names = [name for name in bare if name.startswith('queue')]
    rows = _one(bare, names, lambda x: x.dim() == 2)
    pointer = _one(bare, names, lambda x: x.numel() == 1)
    labels = _one(bare, names, lambda x: x.dim() == 1 and x.numel() > 1)
    if not names:
        return
    if len(names) != 3 or rows is None or pointer is None or labels is None:
        raise ValueError(
            'expected the rows of a queue, their labels and a pointer, but '
            f'got {", ".join(f"{full[x]} {tuple(bare[x].shape)}" for x in names)}'
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
    written = (values.norm(dim=1) - 1).abs() < 1e-2
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


def _expect_prior(done: Conversion) -> None:
    done.missing['head.prior.class_counts'] = (
        'not in the release; mmpaco.ClassPriorHook sets it before training'
    )
