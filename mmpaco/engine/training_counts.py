"""Training images per class of a config."""

from typing import Any

import numpy as np
from mmengine.registry import DATASETS

from .class_counts import count_labels
from .loaded_runner import ConfigLike, read_config

__all__ = ['training_counts']


def training_counts(config: ConfigLike) -> 'np.ndarray[Any, Any]':
    """Count the training images of each class of a config.

    Args:
        config (str | PathLike | Config): The config.

    Returns:
        np.ndarray: Images per class, of shape (C, ).
    """
    cfg = read_config(config)
    num_classes = cfg.model.get('head', {}).get('num_classes')
    return count_labels(
        DATASETS.build(cfg.train_dataloader.dataset), num_classes
    )
