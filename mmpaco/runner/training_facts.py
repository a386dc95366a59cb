"""What the training data of a config say of its classes."""

import inspect
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Optional

import numpy as np
from mmengine.config import Config
from mmengine.registry import DATASETS, init_default_scope
from mmengine.utils import import_modules_from_strings

from mmpaco.engine.class_counts import count_labels
from mmpaco.engine.pixel_counts import PixelCounter
from mmpaco.methods import Facts
from mmpaco.methods.segmentors import segmentor_of
from mmpaco.methods.training_data import leaf_datasets

__all__ = ['training_facts']

_LABEL_MAPS = 2000


def training_facts(cfg: Config) -> Facts:
    """Read the class counts of a config's training set, if it is there.

    Nothing is downloaded.

    Args:
        cfg (Config): The config, which stays as it is.

    Returns:
        Facts: The counts, or why they are unknown. Of many label maps some
        are read, spread over the set, which is enough for shares.
    """
    dataset = (cfg.get('train_dataloader') or {}).get('dataset')
    if not dataset:
        return Facts(why_unknown='there is no training set')
    missing = _missing_root(dataset)
    if missing is not None:
        return Facts(why_unknown=f'{missing} is not there')
    try:
        return _read(cfg)
    except Exception as error:
        # Whatever a dataset of the user's does with files that are not right.
        told = str(error).strip().split('\n')[0] or type(error).__name__
        return Facts(why_unknown=f'the training set cannot be read ({told})')


def _read(cfg: Config) -> Facts:
    scope = cfg.get('default_scope') or 'mmengine'
    init_default_scope(scope)
    if cfg.get('custom_imports'):
        import_modules_from_strings(**cfg.custom_imports)
    dataset_cfg: Any = Config(
        dict(dataset=cfg.train_dataloader.dataset.to_dict())
    ).dataset
    for leaf in leaf_datasets(dataset_cfg):
        _no_download(leaf)
    dataset = DATASETS.build(dataset_cfg)
    if scope == 'mmseg':
        return _pixels(dataset, segmentor_of(cfg).num_classes)
    head = cfg.get('model', {}).get('head') or {}
    num_classes: Optional[int] = head.get('num_classes')
    counts = count_labels(dataset, num_classes)
    return Facts(tuple(map(float, counts)), int(counts.sum()))


def _pixels(dataset: Any, num_classes: int) -> Facts:
    counter = PixelCounter(dataset, num_classes)
    chosen = np.arange(len(counter))
    if len(chosen) > _LABEL_MAPS:
        chosen = np.linspace(0, len(chosen) - 1, _LABEL_MAPS).astype(int)
    pixels = np.zeros(num_classes + 1, dtype=np.int64)
    # As in the count before training: files are decoded without Python's lock.
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for counts in pool.map(counter, chosen.tolist()):
            pixels += counts
    some = f'in {len(chosen)} of {len(counter)} label maps'
    return Facts(
        tuple(map(float, pixels[:-1])),
        len(counter),
        source=some if len(chosen) < len(counter) else '',
    )


def _missing_root(dataset: Any) -> Optional[str]:
    """Give the first folder of a dataset that is not there."""
    for leaf in leaf_datasets(dataset):
        root = leaf.get('data_root')
        if root and '://' not in str(root) and not Path(root).exists():
            return str(root)
    return None


def _no_download(leaf: Any) -> None:
    # A name without a scope is one of the default scope.
    with DATASETS.switch_scope_and_registry(None) as registry:
        kind = registry.get(leaf['type'])
    if kind is not None and any(
        'download' in inspect.signature(x.__init__).parameters
        for x in kind.__mro__
    ):
        leaf['download'] = False
