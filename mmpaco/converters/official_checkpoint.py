"""The papers' released checkpoints, converted to ours."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

import torch
from mmengine.registry import MODELS
from torch import Tensor

from mmpaco.files import PathLike, check_apart, whole_file
from mmpaco.runner.checkpoint import load_checkpoint
from mmpaco.runner.config_files import ConfigLike, read_config
from mmpaco.runner.loaded_runner import TRAINING_ONLY

from .official_names import convert_names
from .official_parts import Conversion

__all__ = ['convert_checkpoint']

# What a model may do without: the parts that train, and nothing else.
_OPTIONAL = (*TRAINING_ONLY, 'auxiliary_head.', 'gpaco_head.')
# Where the weights are: of ResNets and segmentation, and of ViTs.
_WEIGHTS = ('state_dict', 'model')


def convert_checkpoint(
    source: PathLike,
    target: PathLike,
    config: Optional[ConfigLike] = None,
    drop: Sequence[str] = (),
    trust: bool = False,
) -> Conversion:
    """Convert a checkpoint of the papers' release and write ours.

    Args:
        source (str | PathLike): A released checkpoint.
        target (str | PathLike): The checkpoint to write, for ``load_from``
            and the test tools.
        config (str | PathLike | Config, optional): The config that the
            checkpoint is for. Given it, weights that its model lacks are
            left out if they only train, and the model is sure to load the
            result strictly.
        drop (Sequence[str]): Names, or beginnings of names, to leave out.
        trust (bool): As in ``load_checkpoint``. Defaults to False.

    Returns:
        Conversion: What became of every name; as a string, a report.

    Raises:
        ValueError: If the file is refused, a name is not known, or the
            weights do not fit the config, or ``target`` is ``source``.
    """
    check_apart(target, source)
    content = load_checkpoint(Path(source), trust)
    key = next((x for x in _WEIGHTS if isinstance(content.get(x), dict)), None)
    state = content if key is None else content[key]
    asked, kept = {}, {}
    for name, value in state.items():
        if drop and name.startswith(tuple(drop)):
            asked[name] = 'left out on demand'
        elif isinstance(value, Tensor):
            kept[name] = value
        else:
            raise ValueError(
                f'expected a tensor for each name, but {source} has a '
                f'{type(value).__name__} for {name}'
            )
    done = convert_names(kept)
    done.dropped.update(asked)
    meta: dict[str, Any] = {}
    if key is not None:
        for name in content:
            if name == 'meta':
                meta = _dataset_meta(content['meta'])
                done.dropped[name] = (
                    'of another version; its classes and palette are kept'
                    if meta
                    else 'of another version'
                )
            elif name != key:
                done.dropped[name] = (
                    'not weights; the runner cannot resume from it'
                )
    if config is not None:
        _fit(done, config)
    with whole_file(target) as part:
        torch.save({'meta': meta, 'state_dict': done.weights}, part)
    return done


def _dataset_meta(meta: Any) -> dict[str, Any]:
    """Keep what MMSegmentation's inference reads, under its new name."""
    if not isinstance(meta, dict):
        return {}
    found = {
        name: meta[name.upper()]
        for name in ('classes', 'palette')
        if meta.get(name.upper())
    }
    return {'dataset_meta': found} if found else {}


def _fit(done: Conversion, config: ConfigLike) -> None:
    """Make the weights those of the config's model, or raise."""
    model = MODELS.build(read_config(config, needs=('model',)).model)
    mine: dict[str, Tensor] = model.state_dict()
    old_names = {new: old for old, new in done.moved.items()}
    wrong = []
    for name in list(done.weights):
        if name in mine:
            if mine[name].shape != done.weights[name].shape:
                wrong.append(
                    f'{name} has shape {tuple(done.weights[name].shape)}, '
                    f'but {tuple(mine[name].shape)} in the config'
                )
        elif name.startswith(_OPTIONAL):
            del done.weights[name]
            done.added.pop(name, None)
            if name in old_names:
                old = old_names[name]
                del done.moved[old]
                done.dropped[old] = f'the config has no {name}'
        else:
            wrong.append(f'the config has no {name}')
    for name, value in mine.items():
        if name in done.weights:
            continue
        if name.startswith(_OPTIONAL):
            reason = done.missing.get(name, 'not in the release')
            done.add(name, value, f'as the config initialises it; {reason}')
        else:
            wrong.append(f'the release has no {name}')
    done.missing = {}
    if wrong:
        raise ValueError(
            'the checkpoint is not that of the config: '
            + '; '.join(wrong[:5])
            + ('; ...' if wrong[5:] else '')
        )
