"""A runner with the weights of a checkpoint, which leaves no files."""

import contextlib
import copy
import os
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Union

from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from torch import nn

from .checkpoint import load_checkpoint

ConfigLike = Union[str, 'os.PathLike[str]', Config]

# What a loss needs and a prediction does not.
TRAINING_ONLY = (
    'head.projector.',
    'head.queue.',
    'head.prior.',
    'head.loss_module.',
    'momentum_encoder.',
)


def read_config(config: ConfigLike) -> Config:
    """Read a config for its own use, and enter its scope.

    Args:
        config: A config, of which a copy is given, or its path.

    Returns:
        Config: The config.
    """
    cfg = (
        copy.deepcopy(config)
        if isinstance(config, Config)
        else Config.fromfile(config)
    )
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    return cfg


def load_weights(
    model: nn.Module,
    checkpoint: Union[str, 'os.PathLike[str]'],
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
    content = load_checkpoint(Path(checkpoint), trust)
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
    checkpoint: Union[str, 'os.PathLike[str]'],
    trust: bool = False,
    optional: Sequence[str] = (),
    **settings: Any,
) -> Iterator[Runner]:
    """Build the runner of a config with the weights of a checkpoint.

    Its work directory is temporary, and it writes no checkpoints.

    Args:
        config (str | PathLike | Config): The config.
        checkpoint (str | PathLike): A local file.
        trust (bool): As in ``load_checkpoint``. Defaults to False.
        optional (Sequence[str]): As in :func:`load_weights`.
        **settings: Fields of the config that are replaced.

    Yields:
        Runner: The runner.

    Raises:
        ValueError: If the checkpoint is refused, lacks weights, or a shape
            differs.
    """
    cfg = read_config(config)
    for key, value in settings.items():
        cfg[key] = value
    cfg.load_from, cfg.resume = None, False
    # Runners of one process and one second would share a logger.
    cfg.experiment_name = uuid.uuid4().hex
    hooks = dict(cfg.get('default_hooks') or {}, checkpoint=None)
    hooks.pop('whole_checkpoint', None)
    cfg.default_hooks = hooks
    with tempfile.TemporaryDirectory() as cfg.work_dir:
        runner = Runner.from_cfg(cfg)
        load_weights(runner.model, checkpoint, trust, optional)
        # Else a training would initialise the model again.
        runner.model.is_init = True
        yield runner
