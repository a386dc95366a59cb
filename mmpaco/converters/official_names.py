"""The names of the papers' released weights, and ours."""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from .official_parts import Conversion, State, move_mlp, move_queue

__all__ = ['convert_names']

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
    r'\..*|auxiliary_head\.(convs|conv_seg|conv_cat)\..*'
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
_VIT_STEM = (
    'cls_token',
    'pos_embed',
    'patch_embed.proj.weight',
    'patch_embed.proj.bias',
)
_VIT_BLOCK = tuple(
    f'{layer}.{end}'
    for layer in (
        'norm1',
        'attn.qkv',
        'attn.proj',
        'norm2',
        'mlp.fc1',
        'mlp.fc2',
    )
    for end in ('weight', 'bias')
)
_VIT_CLASSIFIER = (
    'fc_norm.weight',
    'fc_norm.bias',
    'head.weight',
    'head.bias',
)
# Blocks of MAE's ViT-B, -L and -H, by their channels.
_VIT_DEPTHS = {768: 12, 1024: 24, 1280: 32}
# The norm before the decoder, and the decoder.
_MAE_ALONE = re.compile(r'norm\.(weight|bias)|mask_token|decoder_.*')


def convert_names(state: State) -> Conversion:
    """Give the weights of a released model our names.

    PaCo and GPaCo with a ResNet (``encoder_q.*``), GPaCo with a ViT
    (``blocks.*``), and GPaCo in a segmentation model (``decode_head.*``); and
    MAE's pre-trained ViT, from which GPaCo's starts.
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
    if len(bare) < len(state):
        twice = [name for name in state if full[_bare(name)] != name]
        raise ValueError(
            f'names with and without module. before them: {", ".join(twice)}; '
            'expected one of the two'
        )
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
        rest += move_mlp(values, full, done, where, 'fc', 'norm')
    if projectors['k']:
        done.add(
            'momentum_encoder.steps',
            torch.tensor(1),
            'one, so that the next step averages and does not copy',
        )
    move_queue(bare, full, done)
    _expect_prior(done)
    return rest


def _vit(bare: State, full: Mapping[str, str], done: Conversion) -> list[str]:
    unknown = {}
    # MAE's weights, from which the papers start.
    is_pretrained = 'head.weight' not in bare
    for name, value in bare.items():
        for pattern, new in _VIT:
            found = pattern.fullmatch(name)
            if found:
                done.move(full[name], found.expand(new), value)
                break
        else:
            if is_pretrained and _MAE_ALONE.fullmatch(name):
                done.dropped[full[name]] = 'of the pre-training alone'
            elif not name.startswith('queue'):
                unknown[name] = value
    _check_vit(bare, is_pretrained)
    if is_pretrained:
        for name in ('backbone.ln2', 'head.fc'):
            done.missing[f'{name}.*'] = 'starts with the fine-tuning'
        return list(unknown)
    rest = move_mlp(unknown, full, done, 'head.projector.layers', 'fc', 'norm')
    move_queue(bare, full, done)
    _expect_prior(done)
    return rest


def _check_vit(bare: State, is_pretrained: bool) -> None:
    """Refuse a transformer that is not whole; a training only warns of it."""
    more = () if is_pretrained else _VIT_CLASSIFIER
    blocks = {
        int(name.split('.')[1]) for name in bare if name.startswith('blocks.')
    }
    channels = bare['cls_token'].shape[-1] if 'cls_token' in bare else 0
    # How many a classifier has is the config's to say.
    least = _VIT_DEPTHS.get(channels, 0) if is_pretrained else 0
    depth = max(least, *(i + 1 for i in blocks))
    lacking = [name for name in (*_VIT_STEM, *more) if name not in bare]
    other = []
    for i in range(depth):
        for part in _VIT_BLOCK:
            name, first = f'blocks.{i}.{part}', f'blocks.0.{part}'
            if name not in bare:
                lacking.append(name)
            elif first in bare and bare[name].shape != bare[first].shape:
                other.append(name)
    for names, text in (
        (lacking, 'lacks'),
        (other, 'has of another shape than the first block'),
    ):
        if names:
            raise ValueError(
                f'expected a transformer of {depth} blocks, but the file '
                f'{text} {len(names)} weights: {", ".join(names[:5])}'
                f'{", ..." if names[5:] else ""}; fetch it again, or take '
                "that of MAE's or the papers' release"
            )


def _segmentation(
    bare: State, full: Mapping[str, str], done: Conversion
) -> list[str]:
    unknown, rest = {}, []
    for name, value in bare.items():
        if _SEG_BACKBONE.fullmatch(name) or _SEG_HEAD.fullmatch(name):
            done.move(full[name], name, value)
        elif name.startswith('decode_head.'):
            unknown[name] = value
        else:
            rest.append(name)
    return rest + move_mlp(
        unknown, full, done, 'gpaco_head.projector', 'conv', 'bn'
    )


def _expect_prior(done: Conversion) -> None:
    done.missing['head.prior.class_counts'] = (
        'not in the release; mmpaco.ClassPriorHook sets it before training'
    )
