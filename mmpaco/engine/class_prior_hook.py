"""Hands the training set's class counts to the model."""

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmpaco.losses import ClassPrior
from mmpaco.registry import HOOKS

from .class_counts import count_labels


@HOOKS.register_module()
class ClassPriorHook(Hook):
    """Before training, set the class prior of every module that has one.

    The counts are those of the training dataset, through its wrappers. Add
    it to ``custom_hooks`` where the model has ``mmpaco.GPaCoHead`` or
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
        priors = [m for m in model.modules() if isinstance(m, ClassPrior)]
        for prior in priors:
            counts = count_labels(
                runner.train_dataloader.dataset, prior.num_classes
            )
            prior.set_class_counts(counts.tolist())
            print_log(
                f'Class prior of {prior.num_classes} classes: '
                f'{counts.max()} to {counts.min()} training images',
                logger='current',
            )
