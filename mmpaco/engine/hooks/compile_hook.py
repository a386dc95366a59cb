"""A hook that compiles a part of the model and not its losses."""

from types import MethodType
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn

from mmpaco.registry import HOOKS

# What raises where a part cannot be compiled.
_COMPILER = ('torch._dynamo', 'torch._inductor')


@HOOKS.register_module()
class CompileHook(Hook):
    """Trains with a compiled backbone.

    ``compile`` of mmengine compiles all of the model at once, together with
    its data samples, which are others in each iteration. A backbone sees
    images alone and compiles once, in half a minute on one core for a
    ResNet-32. Results are the same up to rounding (docs/performance.md).
    Validation and test take it as it is, and checkpoints do not change.

    Args:
        modules (tuple[str]): Names of the parts, such as ``'backbone'`` or
            ``'head.projector'``. Defaults to the backbone.
        **options: Options of ``torch.compile``, such as ``mode``.

    Raises:
        TypeError: If ``modules`` is a single name.
        ValueError: Before the training, if the model has no such part.
        RuntimeError: In its first step, if a part cannot be compiled, such as
            where there is no C++ compiler.

    Example:
        >>> from types import SimpleNamespace
        >>> import torch
        >>> from torch import nn
        >>> from mmpaco.registry import HOOKS
        >>> hook = HOOKS.build(
        ...     dict(type='mmpaco.CompileHook', backend='eager'))
        >>> model = nn.ModuleDict(dict(backbone=nn.Linear(3, 4)))
        >>> hook.before_train(SimpleNamespace(model=model))  # as a runner does
        >>> model.backbone(torch.ones(2, 3)).shape
        torch.Size([2, 4])
    """

    def __init__(
        self, modules: tuple[str, ...] = ('backbone',), **options: Any
    ) -> None:
        if isinstance(modules, str):
            raise TypeError(
                'modules must be a list of names, but got one, '
                f'{modules!r}; give [{modules!r}]'
            )
        self.modules = tuple(modules)
        self.options = options

    def before_train(self, runner: Runner) -> None:
        """Compile the parts in place.

        Args:
            runner (Runner): It holds the model.
        """
        # All are found before one is changed.
        for module in self._parts(runner):
            _compile(module, self.options)

    def after_train(self, runner: Runner) -> None:
        """Take the parts as they were.

        Args:
            runner (Runner): It holds the model.
        """
        for module in self._parts(runner):
            vars(module).pop('forward', None)

    def _parts(self, runner: Runner) -> list[nn.Module]:
        model = runner.model
        if is_model_wrapper(model):
            model = model.module
        found = []
        for name in self.modules:
            try:
                found.append(model.get_submodule(name))
            except AttributeError:
                known = [x for x, _ in model.named_children()]
                raise ValueError(
                    f'{type(model).__name__} has no part {name!r} to compile; '
                    f'its parts are {known}, and theirs, as in head.projector'
                ) from None
        return found


def _compile(module: nn.Module, options: dict[str, Any]) -> None:
    # Of the class, not of the module: a copy of it, such as an average of the
    # weights, would else go on with the weights of this one.
    plain = type(module).forward
    compiled = torch.compile(plain, **options)

    def forward(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        # For the few batches of a validation it would compile once more.
        if not self.training:
            return plain(self, *args, **kwargs)
        try:
            return compiled(self, *args, **kwargs)
        except Exception as error:
            if not type(error).__module__.startswith(_COMPILER):
                raise
            raise RuntimeError(
                f'{type(self).__name__} cannot be compiled here; install what '
                'torch.compile asks for below, or leave out '
                f'mmpaco.CompileHook: {error}'
            ) from error

    # A method is copied together with what it is bound to, and saved by name.
    module.forward = MethodType(forward, module)
