"""Weights of the classes from a certain epoch on."""

import logging
from typing import Optional

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import IterBasedTrainLoop, Runner

from mmpaco.engine.data_state import modules_with
from mmpaco.registry import HOOKS


@HOOKS.register_module()
class DeferredReweightingHook(Hook):
    """Switches the class weights of losses on at an epoch.

    Deferred re-weighting (DRW) of LDAM, Cao et al., NeurIPS 2019,
    https://arxiv.org/abs/1906.07413. Each epoch every module that has a
    method ``set_reweighting`` is told whether its weights are on, so a resumed
    training goes on as it would have. ``mmpaco.LDAMLoss``,
    ``mmpaco.RIDELoss`` and ``mmpaco.ClassBalancedLoss`` have it.

    Args:
        epoch (int): The first epoch with weights, counted from 0.

    Raises:
        ValueError: If the epoch is no number of epochs.

    Example:
        >>> from types import SimpleNamespace
        >>> from mmpaco.losses import LDAMLoss
        >>> from mmpaco.registry import HOOKS
        >>> hook = HOOKS.build(
        ...     dict(type='mmpaco.DeferredReweightingHook', epoch=160)
        ... )
        >>> loss = LDAMLoss(num_classes=3)
        >>> for epoch in (0, 159, 160):
        ...     runner = SimpleNamespace(model=loss, epoch=epoch)
        ...     hook.before_train_epoch(runner)  # as a runner does
        ...     print(epoch, loss.reweighting)
        0 False
        159 False
        160 True
    """

    def __init__(self, epoch: int) -> None:
        if isinstance(epoch, bool) or not isinstance(epoch, int) or epoch < 0:
            raise ValueError(
                'epoch must be an integer that is not negative, the first '
                f'epoch with weights counted from 0, but got {epoch!r}'
            )
        self.epoch = epoch
        # Of all epochs, if they do not count.
        self._constant: Optional[bool] = None

    def stay_at_end(self, max_epochs: int) -> None:
        """Have from now on the weights of the last epoch.

        Args:
            max_epochs (int): Epochs of the training that has ended.
        """
        self._constant = self.epoch < max_epochs

    def before_train(self, runner: Runner) -> None:
        """See that there is something to switch, and an epoch to do it at.

        Args:
            runner (Runner): The runner.

        Raises:
            ValueError: If no module can be re-weighted, one has no class
                weights, or the training counts iterations.
        """
        if not modules_with(runner.model, 'set_reweighting'):
            raise ValueError(
                'no module of the model has a method set_reweighting, so '
                'nothing can be re-weighted; use mmpaco.LDAMLoss or '
                'mmpaco.ClassBalancedLoss in the head, or take '
                'mmpaco.DeferredReweightingHook out of the hooks'
            )
        if self._constant is not None:
            return
        if self.epoch and isinstance(runner.train_loop, IterBasedTrainLoop):
            raise ValueError(
                'mmpaco.DeferredReweightingHook counts epochs, and the '
                'training counts iterations; set train_cfg=dict('
                'by_epoch=True, max_epochs=...), or epoch=0'
            )
        if self.epoch >= runner.max_epochs:
            print_log(
                f'Classes are re-weighted from epoch {self.epoch} on, counted '
                f'from 0, and the training ends after {runner.max_epochs} '
                'epochs: without weights',
                logger='current',
                level=logging.WARNING,
            )
            return
        for module in modules_with(runner.model, 'set_reweighting'):
            # What has no weights says so now, and not at that epoch.
            module.set_reweighting(True)

    def before_train_epoch(self, runner: Runner) -> None:
        """Tell the modules whether their weights are on.

        Args:
            runner (Runner): The runner, which knows the epoch.
        """
        is_on = self._constant
        if is_on is None:
            is_on = runner.epoch >= self.epoch
        for module in modules_with(runner.model, 'set_reweighting'):
            module.set_reweighting(is_on)
