"""Building what a config describes, on the meta device where it can be."""

import contextlib
import copy
import io
from collections.abc import Iterator
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, init_default_scope
from torch.overrides import TorchFunctionMode

from mmpaco.methods.training_data import leaf_datasets


class _Schedules(TorchFunctionMode):
    """Gives values to what networks read while they are built."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        # The rates of drop path, of which there are few.
        if func is torch.linspace:
            kwargs.setdefault('device', 'cpu')
        return func(*args, **kwargs)


@contextlib.contextmanager
def without_values() -> Iterator[None]:
    """Build parameters that have shapes and no values."""
    with torch.device('meta'), _Schedules():
        yield


def build_model(cfg: Config) -> torch.nn.Module:
    """Build the model of a config without its values, if that can be.

    Args:
        cfg (Config): A config.

    Returns:
        torch.nn.Module: The model, on the meta device, or on the CPU if it
        copies values while it is built.
    """
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            with without_values():
                return MODELS.build(copy.deepcopy(cfg.model))
        except NotImplementedError:
            return MODELS.build(cfg.model)


def build_training(cfg: Config) -> dict[str, int]:
    """Build what a training needs but for its data.

    Args:
        cfg (Config): A config.

    Returns:
        dict: ``parameters``, their number.
    """
    model = build_model(cfg)
    for leaf in leaf_datasets(cfg.train_dataloader.dataset):
        Compose(leaf.pipeline)
    wrapper = dict(cfg.optim_wrapper, type='OptimWrapper')
    for key in ('dtype', 'loss_scale', 'use_fsdp'):
        # Those of mixed precision, which a CPU has not.
        wrapper.pop(key, None)
    build_optim_wrapper(model, wrapper)
    return dict(parameters=sum(p.numel() for p in model.parameters()))
