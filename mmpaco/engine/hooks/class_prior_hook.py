"""Hands the training set's class counts to the model."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmpaco.engine.class_counts import count_labels
from mmpaco.engine.data_state import share_with_averages, unwrapped
from mmpaco.registry import HOOKS


@HOOKS.register_module()
class ClassPriorHook(Hook):
    """Before training, set the class prior of every module that has one.

    That is every module with a method ``set_class_counts``, unless its config
    gave the counts. They are those of the training dataset, through its
    wrappers. Add it to ``custom_hooks`` where the model has
    ``mmpaco.GPaCoHead`` or ``mmpaco.BalancedSoftmaxLoss``.
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
        """Count the labels and set them.

        Args:
            runner (Runner): The runner, whose train loop has the dataset.

        Raises:
            TypeError: If the dataset has no labels.
            ValueError: If it is empty or has labels that the model lacks.
        """
        share_with_averages(runner)
        dataset = runner.train_dataloader.dataset
        module: Any
        for module in unwrapped(runner.model).modules():
            if not hasattr(module, 'set_class_counts'):
                continue
            if getattr(module, 'is_given', False):
                continue
            num_classes = getattr(module, 'num_classes', None)
            counts = count_labels(dataset, num_classes)
            module.set_class_counts(counts.tolist())
            print_log(
                f'Class prior of {len(counts)} classes: '
                f'{counts.max()} to {counts.min()} training images',
                logger='current',
            )
