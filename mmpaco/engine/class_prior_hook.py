"""Hands the training set's class counts to the model."""

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmpaco.registry import HOOKS

from .class_counts import count_labels


@HOOKS.register_module()
class ClassPriorHook(Hook):
    """Before training, set the class prior of every module that has one.

    That is every module with a method ``set_class_counts``. The counts are
    those of the training dataset, through its wrappers. Add it to
    ``custom_hooks`` where the model has ``mmpaco.GPaCoHead`` or
    ``mmpaco.BalancedSoftmaxLoss``.
    """

    def before_train(self, runner: Runner) -> None:
        """Count the labels and set them.

        Args:
            runner (Runner): The runner, whose train loop has the dataset.

        Raises:
            TypeError: If the dataset has no labels.
            ValueError: If it is empty or has labels that the model lacks.
        """
        model = runner.model
        if is_model_wrapper(model):
            model = model.module
        dataset = runner.train_dataloader.dataset
        for module in model.modules():
            if not hasattr(module, 'set_class_counts'):
                continue
            num_classes = getattr(module, 'num_classes', None)
            counts = count_labels(dataset, num_classes)
            module.set_class_counts(counts.tolist())
            print_log(
                f'Class prior of {len(counts)} classes: '
                f'{counts.max()} to {counts.min()} training images',
                logger='current',
            )
