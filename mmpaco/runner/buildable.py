"""Whether a config can be built, without the memory that training takes."""

import contextlib
import copy
import io
import logging
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, init_default_scope
from mmengine.utils import import_modules_from_strings
from torch.overrides import TorchFunctionMode

from mmpaco.methods import Refusal
from mmpaco.methods.training_data import leaf_datasets

__all__ = ['build_training', 'check_builds', 'on_cpu']


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
def _without_values() -> Iterator[None]:
    """Build parameters that have shapes and no values."""
    with torch.device('meta'), _Schedules():
        yield


def _build_model(cfg: Config) -> torch.nn.Module:
    model: torch.nn.Module
    try:
        with _without_values():
            model = MODELS.build(copy.deepcopy(cfg.model))
    except NotImplementedError:
        # It copies values while it is built.
        model = MODELS.build(copy.deepcopy(cfg.model))
    return model


def on_cpu(optim_wrapper: Any) -> dict[str, Any]:
    """Give the optimizer of a config without its mixed precision.

    Args:
        optim_wrapper (dict): The config of its wrapper.

    Returns:
        dict: One that a CPU has.
    """
    wrapper = dict(optim_wrapper, type='OptimWrapper')
    for key in ('dtype', 'loss_scale', 'use_fsdp'):
        wrapper.pop(key, None)
    return wrapper


def build_training(cfg: Config) -> torch.nn.Module:
    """Build the model, the transforms and the optimizer of a config.

    Args:
        cfg (Config): A config. No data are read, and no weights if they are
            begun from by ``init_cfg``.

    Returns:
        torch.nn.Module: The model, on the meta device if that can be.

    Raises:
        Exception: Whatever says that it cannot be built.
    """
    if cfg.get('custom_imports'):
        import_modules_from_strings(**cfg.custom_imports)
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    with _silence():
        model = _build_model(cfg)
        for leaf in leaf_datasets(cfg.train_dataloader.dataset):
            Compose(leaf.get('pipeline') or [])
        build_optim_wrapper(model, on_cpu(cfg.optim_wrapper))
    return model


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep back what a training would log of each of its parameters."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            with contextlib.redirect_stdout(io.StringIO()):
                yield
    finally:
        logging.disable(before)


def check_builds(
    cfg: Config, base: Config, given: Iterable[str] = ()
) -> torch.nn.Module:
    """Check that what a method made of a config can be built.

    Args:
        cfg (Config): What it made.
        base (Config): Of this config.
        given (Iterable[str]): Keys to which a user gave values. Defaults to
            none.

    Returns:
        torch.nn.Module: As of :func:`build_training`.

    Raises:
        Refusal: If the base itself cannot be built, or values were given.
        RuntimeError: If it can, which is a mistake of ours.
    """
    try:
        return build_training(cfg)
    except Exception as error:
        try:
            build_training(base)
        except Exception as own:
            raise Refusal(
                f'{base.filename} itself cannot be built with the packages '
                f'that are installed, without any method ({_told(own)}); '
                'mend it first'
            ) from own
        keys = ', '.join(given)
        if keys:
            raise Refusal(
                f'what was made of {base.filename} cannot be built with '
                f'{keys} as given ({_told(error)})'
            ) from error
        raise RuntimeError(
            f'what was made of {base.filename} cannot be built '
            f'({_told(error)}); please report this'
        ) from error


def _told(error: Exception) -> str:
    lines = str(error).strip().splitlines() or ['']
    return f'{type(error).__name__}: {lines[0]}'[:300]
