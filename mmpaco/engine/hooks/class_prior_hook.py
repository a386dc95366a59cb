"""Hands the training set's class counts to the model."""

from typing import Any, Optional

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmpaco.engine.class_counts import count_classes, warn_of_missing
from mmpaco.engine.data_state import modules_with, share_with_averages
from mmpaco.registry import HOOKS


@HOOKS.register_module()
class ClassPriorHook(Hook):
    """Before training, set the class prior of every module that has one.

    That is every module with a method ``set_class_counts``, unless its config
    gave the counts. They are the images per class of the training dataset,
    through its wrappers, or the pixels per class of its label maps, of which
    each rank reads its share. Add it to ``custom_hooks`` where the model has
    ``mmpaco.GPaCoHead``, ``mmpaco.BalancedSoftmaxLoss`` or another loss with
    class counts (``mmpaco.LDAMLoss``), or a ``mmpaco.GPaCoAuxHead`` with
    ``class_prior=True``. Then a head of images
    logs alpha x K.

    Example:
        >>> from mmengine.registry import HOOKS
        >>> from mmpaco.engine.hooks import ClassPriorHook
        >>> hook = HOOKS.build(dict(type='mmpaco.ClassPriorHook'))
        >>> isinstance(hook, ClassPriorHook)
        True
    """

    def after_load_checkpoint(
        self, runner: Runner, checkpoint: dict[str, Any]
    ) -> None:
        """Keep the prior of a checkpoint from averaged copies of the model.

        Args:
            runner (Runner): It holds the model.
            checkpoint (dict): The checkpoint.
        """
        share_with_averages(runner)

    def before_train(self, runner: Runner) -> None:
        """Count and set what was not given.

        Args:
            runner (Runner): The runner, whose train loop has the dataset. It
                is looked at only if there is something to count.

        Raises:
            TypeError: If the dataset has no labels.
            ValueError: If it is empty or has labels that the model lacks.
        """
        share_with_averages(runner)
        counted: dict[Optional[int], Any] = {}
        for module in modules_with(runner.model, 'set_class_counts'):
            if getattr(module, 'is_given', False):
                continue
            num_classes = getattr(module, 'num_classes', None)
            if num_classes not in counted:
                counted[num_classes] = count_classes(
                    runner.train_dataloader.dataset, num_classes
                )
            counts, what = counted[num_classes]
            module.set_class_counts(counts.tolist())
            print_log(
                f'Class prior of {len(counts)} classes: '
                f'{counts.max()} to {counts.min()} training {what}'
                # What takes long is given in a form to be kept.
                + (
                    f'; class_counts={counts.tolist()}'
                    if what == 'pixels'
                    else ''
                ),
                logger='current',
            )
            warn_of_missing(counts, what)
        _report_strength(runner)


def _report_strength(runner: Runner) -> None:
    """Have heads say how strong their contrast is, now that all is known."""
    batch_size = runner.train_dataloader.batch_size
    for module in modules_with(runner.model, 'report_strength'):
        # A batch sampler of one's own may give batches of any size.
        if batch_size:
            module.report_strength(batch_size)
