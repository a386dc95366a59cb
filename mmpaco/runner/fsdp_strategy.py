"""Training of a model that is divided between processes (FSDP)."""

from __future__ import annotations

import copy
from typing import Any, Optional

import torch
from mmengine._strategy import FSDPStrategy as _FSDPStrategy
from mmengine.device import get_device
from mmengine.dist import broadcast
from mmengine.model import BaseAveragedModel
from mmengine.optim import OptimWrapper, build_optim_wrapper
from torch import nn
from torch.distributed.fsdp import (
    FullOptimStateDictConfig,
    FullStateDictConfig,
    FullyShardedDataParallel,
)

from mmpaco.engine.data_state import plain_name
from mmpaco.registry import STRATEGIES

# A block of ViT-L has 12.6 million weights.
_WRAPPER = dict(
    type='MMFullyShardedDataParallel',
    use_orig_params=True,
    auto_wrap_policy=dict(
        type='torch.distributed.fsdp.wrap.size_based_auto_wrap_policy',
        min_num_params=10_000_000,
    ),
)


@STRATEGIES.register_module()
class FSDPStrategy(_FSDPStrategy):
    """mmengine's ``FSDPStrategy``, with the optimizer and files of DDP.

    Each process keeps a part of weights, gradients and state of the
    optimizer. Any config trains so that has one optimizer, with
    ``runner_type='FlexibleRunner'`` and
    ``strategy=dict(type='mmpaco.FSDPStrategy')``. Other than mmengine's:

    - A weight's own rate and decay (layer-wise decay, no decay of vectors)
      are found before the model is wrapped. A wrapped weight has another name
      and no shape, so that all would get one rate and no decay.
    - The checkpoint is that of DDP, optimizer included: a run of either kind
      can be resumed by the other, and test tools read it. mmengine's cannot be
      resumed with PyTorch from 2.1 on.
    - It runs on a CPU too, where PyTorch has that (2.14 has, 2.1 has not).

    Args:
        model_wrapper (dict, optional): What differs from wrapping each part
            of ten million weights. ``use_orig_params`` must stay True.
        **kwargs: Other arguments of mmengine's, without ``state_dict_cfg``.

    Raises:
        ValueError: If ``use_orig_params`` is False, or, when training begins,
            if the norm of the gradients is to be clipped, or if the model
            holds an average of its weights, as PaCo's momentum encoder is, or
            leaves weights out of its checkpoints, as mmpretrain's LoRA does.

    Example:
        >>> from mmpaco.registry import STRATEGIES
        >>> strategy = STRATEGIES.build(
        ...     dict(type='mmpaco.FSDPStrategy', work_dir='work_dirs'))
        >>> strategy.state_dict_type.name
        'FULL_STATE_DICT'
    """

    def __init__(
        self, *, model_wrapper: Optional[dict[str, Any]] = None, **kwargs: Any
    ) -> None:
        wrapper: dict[str, Any] = {
            **copy.deepcopy(_WRAPPER),
            **(model_wrapper or {}),
        }
        if not wrapper['use_orig_params']:
            raise ValueError(
                'use_orig_params must be True: else weights of one rate and '
                'those of another are one'
            )
        # On a CPU, offloading makes both moments of Adam one in PyTorch 2.14.
        options = dict(rank0_only=True, offload_to_cpu=get_device() != 'cpu')
        super().__init__(
            model_wrapper=wrapper,
            state_dict_cfg=dict(
                state_dict_type='FULL_STATE_DICT',
                state_dict_config=FullStateDictConfig(**options),
                optim_state_dict_config=FullOptimStateDictConfig(**options),
            ),
            **kwargs,
        )

    def prepare(
        self,
        model: Any,
        *,
        optim_wrapper: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Build and wrap the model, and what trains it.

        Args:
            model (nn.Module | dict): The model, or its config.
            optim_wrapper (OptimWrapper | dict, optional): The optimizer.
            **kwargs: Other arguments of mmengine's.

        Returns:
            Any: What mmengine's gives.
        """
        self._optim_cfg = optim_wrapper
        return super().prepare(model, optim_wrapper=optim_wrapper, **kwargs)

    def _wrap_model(self, model: nn.Module) -> nn.Module:
        optim_wrapper = self._optim_cfg
        if isinstance(optim_wrapper, dict):
            options = dict(optim_wrapper)
            if options.get('type') == 'AmpOptimWrapper':
                options.setdefault('use_fsdp', True)
            optim_wrapper = build_optim_wrapper(model, options)
        if optim_wrapper is not None:
            _check_clipping(optim_wrapper)
            _check_averages(model)
            _check_checkpoint(model)
        # As DDP does. PyTorch's sync_module_states does not on a CPU.
        for tensor in (*model.parameters(), *model.buffers()):
            broadcast(tensor.data)
        names = {id(x): name for name, x in model.named_parameters()}
        if get_device() == 'cpu':
            self.model_wrapper.setdefault('device_id', torch.device('cpu'))
        wrapped: nn.Module = super()._wrap_model(model)
        if optim_wrapper is not None:
            parts = {
                plain_name(name): x for name, x in wrapped.named_parameters()
            }
            #: The names in the order of the optimizer's numbers.
            self._names: list[str] = []
            for group in optim_wrapper.optimizer.param_groups:
                mine = [names[id(x)] for x in group['params']]
                group['params'] = [parts[name] for name in mine]
                self._names += mine
        self._optim_cfg = optim_wrapper
        return wrapped

    def build_optim_wrapper(
        self, optim_wrapper: Any, model: Optional[nn.Module] = None
    ) -> OptimWrapper:
        """Give the optimizer that was built before the model was wrapped.

        Args:
            optim_wrapper (OptimWrapper | dict): What it was built of.
            model (nn.Module, optional): The wrapped model.

        Returns:
            OptimWrapper: It, with the parts of this process.
        """
        built: OptimWrapper = self._optim_cfg
        return built

    def optim_state_dict(self) -> dict[str, Any]:
        """Give the whole state of the optimizer, as DDP saves it.

        Returns:
            dict: The state, with empty groups on other ranks than 0.
        """
        state: dict[str, Any] = FullyShardedDataParallel.optim_state_dict(
            self.model, self.optim_wrapper.optimizer
        )
        numbers = {name: i for i, name in enumerate(self._names)}
        return {
            # Scale of the loss, and the rate that is logged.
            **self.optim_wrapper.state_dict(),
            'state': {
                numbers[name]: x for name, x in state.get('state', {}).items()
            },
            'param_groups': [
                {**group, 'params': [numbers[x] for x in group['params']]}
                for group in state.get('param_groups', [])
            ],
        }

    def load_optim_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the state of an optimizer of DDP or FSDP.

        Args:
            state_dict (dict): The state.
        """
        names = self._names
        whole = {
            'state': {names[i]: x for i, x in state_dict['state'].items()},
            'param_groups': [
                {**group, 'params': [names[i] for i in group['params']]}
                for group in state_dict['param_groups']
            ],
        }
        part = FullyShardedDataParallel.optim_state_dict_to_load(
            model=self.model,
            optim=self.optim_wrapper.optimizer,
            optim_state_dict=whole,
        )
        self.optim_wrapper.load_state_dict({**state_dict, **part})


def _check_clipping(optim_wrapper: Any) -> None:
    clips = getattr(optim_wrapper, 'clip_grad_kwargs', None)
    if clips and optim_wrapper.clip_func is nn.utils.clip_grad_norm_:
        raise ValueError(
            f'clip_grad={clips} clips the norm of all gradients, but a '
            'process of FSDP has a part of them, and each would be scaled '
            "otherwise; clip values (type='value'), or train with DDP"
        )


def _check_averages(model: nn.Module) -> None:
    for name, part in model.named_modules():
        if isinstance(part, BaseAveragedModel):
            raise ValueError(
                f'{name} averages weights of the model, but FSDP divides both '
                'in other ways; train with DDP, or without momentum, as GPaCo '
                'does'
            )


def _check_checkpoint(model: nn.Module) -> None:
    saved = model.state_dict()
    missing = [x for x, _ in model.named_parameters() if x not in saved]
    if missing:
        raise ValueError(
            f'the model leaves {len(missing)} weights, such as {missing[0]}, '
            'out of its checkpoint, as LoRA does with those that are frozen; '
            "PyTorch's FSDP cannot save such a model: train with DDP, which "
            'is enough where most weights are frozen'
        )
