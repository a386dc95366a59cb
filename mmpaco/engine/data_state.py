"""What a model holds of its training set: the queue and the class prior."""

from collections.abc import Iterator
from typing import Any

from mmengine.model import BaseAveragedModel, is_model_wrapper
from mmengine.runner import Runner
from torch import nn

from mmpaco.losses.data_state import DataState


def unwrapped(model: nn.Module) -> nn.Module:
    """Give the model that DDP or its like holds, or the model itself.

    Args:
        model (nn.Module): The model of a runner.

    Returns:
        nn.Module: The model of the config.
    """
    if is_model_wrapper(model):
        model = model.get_submodule('module')
    return model


def modules_with(model: nn.Module, method: str) -> list[Any]:
    """Find the modules of a model that can be told something.

    Args:
        model (nn.Module): The model of a runner.
        method (str): Name of the method that tells them.

    Returns:
        list: Those that have it.
    """
    modules = unwrapped(model).modules()
    return [module for module in modules if hasattr(module, method)]


def plain_name(name: str) -> str:
    """Give the name of the config's model to a part of a wrapped one.

    Args:
        name (str): That of a module, parameter or buffer, in which FSDP and
            activation checkpointing have named their wrappers.

    Returns:
        str: The name in a checkpoint.
    """
    for wrapper in ('_fsdp_wrapped_module.', '_checkpoint_wrapped_module.'):
        name = name.replace(wrapper, '')
    return name


def share_with_averages(runner: Runner) -> None:
    """Give the averaged copies of a model its own queue and class prior.

    Rows of a queue must not be averaged, and a copy must not bring those of a
    checkpoint back.

    Args:
        runner (Runner): The runner, whose ``EMAHook`` has made its copy.
    """
    model = unwrapped(runner.model)
    for averaged in averages(runner):
        for name, module in data_states(model):
            parent, _, child = f'module.{name}'.rpartition('.')
            setattr(averaged.get_submodule(parent), child, module)


def averages(runner: Runner) -> list[BaseAveragedModel]:
    """Find the averaged copies of a model that hooks hold.

    Args:
        runner (Runner): The runner.

    Returns:
        list[BaseAveragedModel]: The copies.
    """
    found = [getattr(hook, 'ema_model', None) for hook in runner.hooks]
    return [x for x in found if isinstance(x, BaseAveragedModel)]


def leave_out(checkpoint: dict[str, Any], name: str, state: DataState) -> None:
    """Let a checkpoint that is going to be loaded not change a state.

    Args:
        checkpoint (dict): The checkpoint, with or without averaged weights.
        name (str): Name of the queue or class prior in the model.
        state (DataState): It.
    """
    model_state = checkpoint.get('state_dict', checkpoint)
    averages = checkpoint.get('ema_state_dict', {})
    prefix = f'{plain_name(name)}.'
    for key, value in state.state_dict(prefix=prefix).items():
        # Of a model that DDP held, names begin like those of an average.
        for states in (model_state, averages):
            for theirs in (key, f'module.{key}'):
                if theirs in states:
                    states[theirs] = value.clone()


def data_states(model: nn.Module) -> Iterator[tuple[str, DataState]]:
    """Find the queues and class priors of a model.

    Args:
        model (nn.Module): The model.

    Yields:
        tuple[str, DataState]: The name and the module.
    """
    for name, module in model.named_modules():
        if isinstance(module, DataState):
            yield name, module
