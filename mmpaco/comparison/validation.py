"""A validation set for what is chosen, which is never the test set."""

import os
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

from mmpaco.methods import Refusal
from mmpaco.methods.training_data import (
    leaf_datasets,
    type_name,
    with_pipelines,
)

__all__ = ['has_validation', 'validation_settings']

# What may differ between two that read the same images.
_HOW_READ = {
    'pipeline',
    'test_mode',
    'lazy_init',
    'serialize_data',
    'max_refetch',
    'data_root',
}
# What only repeats the images of the dataset inside.
_REPEATERS = ('RepeatDataset', 'ClassBalancedDataset')
SHARE = 0.2


def has_validation(cfg: Config) -> bool:
    """Tell whether a config validates on images of their own.

    Args:
        cfg (Config): The config. Many of mmpretrain and mmseg validate on
            their test set.

    Returns:
        bool: Whether its validation set is neither its test set nor its
        training set, nor a part of one of them, as far as the config tells.
    """
    loader = cfg.get('val_dataloader')
    if not loader or not cfg.get('val_evaluator'):
        return False
    mine, train, test = (
        _parts(cfg[f'{part}_dataloader'].dataset)
        if cfg.get(f'{part}_dataloader')
        else []
        for part in ('val', 'train', 'test')
    )
    # Images picked by their index may be any of the whole set's.
    whole, tested = _unpicked(mine), _unpicked(test)
    return not any(
        x in (*mine, *whole) if part == 'train' else x in whole
        for part, images in (('train', train), ('test', tested))
        for x in images
    )


def _parts(node: Mapping[str, Any]) -> list[Any]:
    """Tell which images each dataset has that is joined or repeated."""
    if type_name(node) in _REPEATERS:
        return _parts(node['dataset'])
    if isinstance(node.get('datasets'), (list, tuple)):
        return [x for inner in node['datasets'] for x in _parts(inner)]
    return [_images(node)]


def _images(node: Any) -> Any:
    """What a dataset's config says of which images it has."""
    if isinstance(node, (list, tuple)):
        return [_images(x) for x in node]
    if not isinstance(node, Mapping):
        return node
    found = {k: _images(x) for k, x in node.items() if k not in _HOW_READ}
    root = node.get('data_root') or ''
    if 'dataset' not in node and isinstance(root, str):
        found['data_prefix'] = _placed(root, found.get('data_prefix') or '')
        if found.get('ann_file'):
            found['ann_file'] = _placed(root, found['ann_file'])
    return found


def _placed(root: str, place: Any) -> Any:
    """Name files in the one way in which they are named here."""
    if isinstance(place, Mapping):
        return {k: _placed(root, x) for k, x in place.items()}
    return (
        os.path.realpath(os.path.join(root, place))
        if isinstance(place, str)
        else place
    )


def _unpicked(parts: Any) -> Any:
    """The same without a choice of single images."""
    if isinstance(parts, Mapping):
        return {k: _unpicked(x) for k, x in parts.items() if k != 'indices'}
    if isinstance(parts, list):
        return [_unpicked(x) for x in parts]
    return parts


def validation_settings(cfg: Config) -> tuple[dict[str, Any], str]:
    """Let a config be tested on a validation set.

    That is its own, if it has one that is not its test set; else a part of
    its training set, which is then not trained with.

    Args:
        cfg (Config): The config.

    Returns:
        tuple[dict, str]: What to merge over it, and a sentence that tells
        what the validation set is.

    Raises:
        Refusal: If the training set cannot be cut.
    """
    if has_validation(cfg):
        loader, evaluator = cfg.val_dataloader, cfg.val_evaluator
        told = "the config's own validation set"
        settings: dict[str, Any] = {}
    else:
        loader, evaluator = cfg.test_dataloader, cfg.test_evaluator
        train = cfg.train_dataloader.dataset.to_dict()
        (leaf,) = list(leaf_datasets(train))[:1]
        steps = next(leaf_datasets(loader.dataset)).get('pipeline') or ()
        told = (
            f'a part ({SHARE:.0%}) of the training set, which these trials '
            'did not train with: the config has no validation set beside its '
            'test set'
        )
        loader = {
            **loader.to_dict(),
            'dataset': _cut(train, 'val', list(steps)),
        }
        settings = {
            'train_dataloader': dict(
                dataset=dict(_delete_=True, **_cut(train, 'train'))
            )
        }
    for part in ('val', 'test'):
        settings[f'{part}_dataloader'] = dict(_delete_=True, **loader)
        settings[f'{part}_evaluator'] = (
            dict(_delete_=True, **evaluator)
            if isinstance(evaluator, Mapping)
            else list(evaluator)
        )
    return settings, told


def _cut(
    dataset: Mapping[str, Any], part: str, steps: Any = None
) -> dict[str, Any]:
    """Cut the datasets that have their images themselves."""
    if type_name(dataset) in _REPEATERS:
        inner = _cut(dataset['dataset'], part, steps)
        # To be validated once is enough.
        return inner if steps else {**dataset, 'dataset': inner}
    if isinstance(dataset.get('datasets'), (list, tuple)):
        parts = [_cut(x, part, steps) for x in dataset['datasets']]
        return {**dataset, 'datasets': parts}
    if type_name(dataset) in ('KFoldDataset', 'MultiImageMixDataset'):
        raise Refusal(
            f'{type_name(dataset)} cannot be cut into a part to train and one '
            'to validate; give the config a val_dataloader beside its '
            'test_dataloader'
        )
    inside = dict(dataset)
    if steps:
        changed = with_pipelines(dataset, lambda _: steps)
        inside = _merged(inside, changed)
    return dict(
        type='mmpaco.SplitDataset',
        dataset=inside,
        part=part,
        share=SHARE,
        seed=0,
    )


def _merged(
    node: Mapping[str, Any], changes: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        **node,
        **{
            k: _merged(node[k], x)
            if isinstance(x, Mapping) and isinstance(node.get(k), Mapping)
            else x
            for k, x in changes.items()
        },
    }
