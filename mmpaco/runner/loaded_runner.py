"""A runner with the weights of a checkpoint, which leaves no files."""

import contextlib
import logging
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.registry import DATASETS
from mmengine.runner import Runner
from torch import nn

from mmpaco.engine.class_counts import count_labels, warn_of_missing
from mmpaco.files import PathLike

from .checkpoint import load_checkpoint
from .config_files import ConfigLike, read_config

# What a loss needs and a prediction does not.
TRAINING_ONLY = (
    'head.projector.',
    'head.queue.',
    'head.prior.',
    'head.loss_module.',
    'momentum_encoder.',
)


def load_weights(
    model: nn.Module,
    checkpoint: PathLike,
    trust: bool = False,
    optional: Sequence[str] = (),
) -> None:
    """Load a checkpoint into a model that it must be complete for.

    Args:
        model (nn.Module): The model.
        checkpoint (str | PathLike): A local file.
        trust (bool): As in ``load_checkpoint``. Defaults to False.
        optional (Sequence[str]): Beginnings of names that the checkpoint may
            lack. Defaults to none.

    Raises:
        ValueError: If the file is refused, lacks weights of the model, or a
            shape differs.
    """
    fit_weights(
        model, load_checkpoint(checkpoint, trust), checkpoint, optional
    )


def fit_weights(
    model: nn.Module,
    content: Mapping[str, Any],
    checkpoint: PathLike,
    optional: Sequence[str] = (),
) -> None:
    """Load the content of a checkpoint, as :func:`load_weights` does.

    Args:
        model (nn.Module): The model.
        content (Mapping): What ``load_checkpoint`` gave.
        checkpoint (str | PathLike): Its file, for messages.
        optional (Sequence[str]): As in :func:`load_weights`.

    Raises:
        ValueError: If it lacks weights of the model, or a shape differs.
    """
    state = content.get('state_dict', content)
    try:
        result = model.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise ValueError(
            f'{checkpoint} is not of the model of the config: {error}'
        ) from error
    missing = [
        key
        for key in result.missing_keys
        if not key.startswith(tuple(optional))
    ]
    if missing:
        raise ValueError(
            f'{checkpoint} lacks {len(missing)} weights of the model: '
            f'{", ".join(missing[:5])}{", ..." if missing[5:] else ""}; it '
            'must be a checkpoint of this config'
        )


@contextlib.contextmanager
def loaded_runner(
    config: ConfigLike,
    checkpoint: PathLike,
    trust: bool = False,
    optional: Sequence[str] = (),
    **settings: Any,
) -> Iterator[Runner]:
    """Build the runner of a config with the weights of a checkpoint.

    Its work directory is temporary, and it writes no checkpoints. How it was
    built is not logged, and what it does is.

    Args:
        config (str | PathLike | Config): The config.
        checkpoint (str | PathLike): A local file.
        trust (bool): As in ``load_checkpoint``. Defaults to False.
        optional (Sequence[str]): As in :func:`load_weights`.
        **settings: Fields of the config that are replaced.

    Yields:
        Runner: The runner.

    Raises:
        ValueError: If the config has no model, or the checkpoint is refused,
            lacks weights, or a shape differs.
    """
    cfg = read_config(config, needs=('model',))
    for key, value in settings.items():
        cfg[key] = value
    cfg.load_from, cfg.resume = None, False
    # Runners of one process and one second would share a logger.
    cfg.experiment_name = uuid.uuid4().hex
    cfg.default_hooks = dict(cfg.get('default_hooks') or {}, checkpoint=None)
    level = cfg.get('log_level', 'INFO')
    # Else hundreds of lines of the config stand before a result.
    cfg.log_level = 'WARNING'
    with tempfile.TemporaryDirectory() as cfg.work_dir:
        runner = Runner.from_cfg(cfg)
        for handler in runner.logger.handlers:
            if handler.level == logging.WARNING:
                handler.setLevel(level)
        load_weights(runner.model, checkpoint, trust, optional)
        # Else a training would initialise the model again.
        runner.model.is_init = True
        yield runner


def training_counts(config: ConfigLike) -> 'np.ndarray[Any, Any]':
    """Count the training images of each class of a config.

    Args:
        config (str | PathLike | Config): The config.

    Returns:
        np.ndarray: Images per class, of shape (C, ).

    Raises:
        TypeError: If the config is not one of mmpretrain.
        ValueError: If it has no model or no training set.
    """
    cfg = read_config(
        config, 'mmpretrain', ('model', 'train_dataloader.dataset')
    )
    num_classes = cfg.model.get('head', {}).get('num_classes')
    counts = count_labels(
        DATASETS.build(cfg.train_dataloader.dataset), num_classes
    )
    warn_of_missing(counts)
    return counts
