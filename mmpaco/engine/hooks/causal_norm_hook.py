"""Moves the mean feature of a model once for each step of its optimizer."""

from typing import Any, Optional

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn

from mmpaco.engine.data_state import averages, unwrapped
from mmpaco.engine.optimizer_step import has_stepped, highest_rate
from mmpaco.losses.feature_mean import FeatureMean
from mmpaco.registry import HOOKS


@HOOKS.register_module()
class CausalNormHook(Hook):
    """After each step of the optimizer, let its images enter the mean.

    For ``mmpaco.CausalNormHead`` (De-confound-TDE, Tang et al., NeurIPS 2020,
    https://arxiv.org/abs/2009.12991). A forward pass moves nothing, so one
    that is recomputed (activation checkpointing) counts once. The mean is
    that of the images of all ranks, and of all iterations that gather
    gradients for the step. The checkpoint carries it, so a resumed training
    goes on with it; a training that starts from weights of another
    (``load_from``) starts without.

    Example:
        >>> from mmpaco.engine.hooks import CausalNormHook
        >>> from mmpaco.registry import HOOKS
        >>> hook = HOOKS.build(dict(type='mmpaco.CausalNormHook'))
        >>> isinstance(hook, CausalNormHook)
        True
    """

    # Before an EMAHook copies the buffers of the model.
    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        """Find the means of the model, and clear them if a training starts.

        Args:
            runner (Runner): It holds the model.

        Raises:
            ValueError: If the model has none.
        """
        self._means = _means_of(unwrapped(runner.model))
        if not self._means:
            raise ValueError(
                'no module of the model keeps a mean feature; use '
                'mmpaco.CausalNormHead, or take mmpaco.CausalNormHook out of '
                'the hooks'
            )
        # Sums of features and, last, their number, since the last step.
        self._sums: list[Optional[Tensor]] = [None] * len(self._means)
        for mean in self._means:
            # Of an iteration that was interrupted.
            mean.take_staged()
        if runner.iter:
            return
        for model in (unwrapped(runner.model), *averages(runner)):
            for mean in _means_of(model):
                mean.clear()

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Optional[dict[str, Any]] = None,
    ) -> None:
        """Collect what was staged, and move the means at a step.

        Args:
            runner (Runner): It holds the model.
            batch_idx (int): The index of the batch.
            data_batch (dict, optional): The batch.
            outputs (dict, optional): The losses.
        """
        is_step = has_stepped(runner.optim_wrapper)
        for i, mean in enumerate(self._means):
            total, number = mean.take_staged()
            part = torch.cat([total, total.new_full((1,), number)])
            before = self._sums[i]
            part = part if before is None else before + part
            self._sums[i] = None if is_step else part
            if is_step:
                all_reduce(part)
                rate = None
                if mean.full_rate is not None:
                    rate = highest_rate(runner.optim_wrapper)
                # Without images it is not finite, and moves nothing.
                mean.move(part[:-1] / part[-1], rate)


def _means_of(model: nn.Module) -> list[FeatureMean]:
    return [x for x in model.modules() if isinstance(x, FeatureMean)]
