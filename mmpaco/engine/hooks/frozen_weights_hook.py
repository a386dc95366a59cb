"""Frozen weights are those of a checkpoint, and not random ones."""

from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.hooks import Hook
from mmengine.model import BaseAveragedModel
from mmengine.runner import CheckpointLoader, Runner
from torch import nn
from torch.distributed.fsdp import FullyShardedDataParallel
from torch.nn.modules.batchnorm import _BatchNorm

from mmpaco.engine.data_state import plain_name, unwrapped
from mmpaco.registry import HOOKS

_NORMS = (nn.LayerNorm, nn.GroupNorm, _BatchNorm)
# mmpretrain fits them to another size of images.
_RESIZED = ('pos_embed', 'relative_position_bias_table')


@HOOKS.register_module()
class FrozenWeightsHook(Hook):
    """Refuses to train on frozen weights that the checkpoint did not give.

    Where the file of ``init_cfg=dict(type='Pretrained', ...)`` lacks a weight
    or has it in another shape, mmengine warns and goes on. A frozen one then
    stays random. Norms are left out: one that was not trained does nothing.
    So are runs that are resumed, or loaded by ``load_from``.

    Example:
        >>> from types import SimpleNamespace
        >>> import torch
        >>> from mmpaco.registry import HOOKS, MODELS
        >>> source = dict(type='Pretrained', checkpoint='of_resnet18.pth')
        >>> wanted = MODELS.build(dict(
        ...     type='mmpretrain.ResNet', depth=34, frozen_stages=1,
        ...     init_cfg=source))
        >>> given = MODELS.build(dict(type='mmpretrain.ResNet', depth=18))
        >>> torch.save(given.state_dict(), 'of_resnet18.pth')
        >>> hook = HOOKS.build(dict(type='mmpaco.FrozenWeightsHook'))
        >>> runner = SimpleNamespace(
        ...     model=wanted, iter=0, _load_from=None)
        >>> try:
        ...     hook.before_train(runner)  # as a runner does
        ... except RuntimeError as error:
        ...     print(str(error).partition(', which')[0])
        of_resnet18.pth does not fit ResNet: it lacks layer1.2.conv1.weight
    """

    def before_train(self, runner: Runner) -> None:
        """Look at what the checkpoints of ``init_cfg`` have.

        Args:
            runner (Runner): It holds the model, whose weights are loaded.

        Raises:
            RuntimeError: If a frozen weight is not in its checkpoint.
        """
        # To resume may find nothing, and is to begin then.
        if runner.iter or runner._load_from is not None:
            return
        for module, source in pretrained_modules(unwrapped(runner.model)):
            frozen = dict(_frozen(module))
            if frozen:
                _check(module, frozen, source)


def pretrained_modules(
    module: nn.Module,
) -> Iterator[tuple[nn.Module, dict[str, Any]]]:
    """Find the modules that a checkpoint is loaded into, and say which.

    Args:
        module: A network.

    Yields:
        tuple[nn.Module, dict]: A module, and the ``init_cfg`` that names its
        checkpoint.
    """
    configs = getattr(module, 'init_cfg', None) or []
    for config in [configs] if isinstance(configs, Mapping) else configs:
        if config.get('type') == 'Pretrained':
            yield module, dict(config)
    for child in module.children():
        # An average begins with the weights of its model.
        if not isinstance(child, BaseAveragedModel):
            yield from pretrained_modules(child)


def _frozen(module: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Give the frozen weights but norms, by the names of a checkpoint."""
    for prefix, part in module.named_modules():
        if isinstance(part, _NORMS):
            continue
        for name, weight in part.named_parameters(prefix, recurse=False):
            if not weight.requires_grad:
                # mmpretrain's LoRAModel puts the layer that it adapts there.
                name = plain_name(name).replace('.original_layer.', '.')
                yield name, weight


def _check(
    module: nn.Module,
    frozen: dict[str, nn.Parameter],
    source: dict[str, Any],
) -> None:
    path = source['checkpoint']
    given = CheckpointLoader.load_checkpoint(path, map_location='cpu')
    given = given.get('state_dict', given)
    prefix = source.get('prefix')
    if prefix is None:
        given = {name.removeprefix('module.'): x for name, x in given.items()}
    prefix = f'{prefix.rstrip(".")}.' if prefix else ''
    # A process of FSDP has a part of a weight, of another shape.
    is_whole = not any(
        isinstance(part, FullyShardedDataParallel) for part in module.modules()
    )
    faults = []
    for name, weight in frozen.items():
        found = given.get(f'{prefix}{name}')
        if found is None:
            faults.append(f'it lacks {name}')
        elif is_whole and not name.endswith(_RESIZED):
            if found.shape != weight.shape:
                faults.append(
                    f'{name} has the shape {tuple(found.shape)}, not '
                    f'{tuple(weight.shape)}'
                )
    if faults:
        raise RuntimeError(
            f'{path} does not fit {type(module).__name__}: {faults[0]}, which '
            f'is frozen and would stay random, as would {len(faults) - 1} '
            'other weights; give the checkpoint of this network, or freeze '
            'less of it (frozen_stages)'
        )
