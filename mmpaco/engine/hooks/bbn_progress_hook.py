"""How much of a training has gone, told to a model of two branches."""

from typing import Optional

from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner

from mmpaco.engine.data_state import modules_with
from mmpaco.registry import HOOKS


@HOOKS.register_module()
class BBNProgressHook(Hook):
    """Tells a model each epoch how much of its training has gone.

    For ``mmpaco.BBNClassifier`` (BBN, Zhou et al., CVPR 2020,
    https://arxiv.org/abs/1912.02413), which goes from its first branch to its
    second: each epoch every module that has a method ``set_progress`` is told
    t / E of epoch t, counted from 0. It depends on the epoch alone, so a
    resumed training goes on as it would have.

    Args:
        epochs (int, optional): The number E. The release has 100 for a
            training of 90 epochs and 200 for one of 180, so that the first
            branch keeps its share. Defaults to None: those of the training.

    Raises:
        ValueError: If it is no number of epochs.

    Example:
        >>> from types import SimpleNamespace
        >>> from mmpaco.registry import HOOKS
        >>> hook = HOOKS.build(dict(type='mmpaco.BBNProgressHook', epochs=200))
        >>> class Model:
        ...     def modules(self):
        ...         return [self]
        ...     def set_progress(self, progress):
        ...         print(progress)
        >>> for epoch in (0, 50, 179):
        ...     runner = SimpleNamespace(model=Model(), epoch=epoch)
        ...     hook.before_train_epoch(runner)  # as a runner does
        0.0
        0.25
        0.895
    """

    def __init__(self, epochs: Optional[int] = None) -> None:
        if epochs is not None and (
            isinstance(epochs, bool)
            or not isinstance(epochs, int)
            or epochs < 1
        ):
            raise ValueError(
                'epochs must be a positive integer, or None for those of the '
                f'training, but got {epochs!r}'
            )
        self.epochs = epochs
        # Of all epochs, if they do not count.
        self._constant: Optional[float] = None

    def stay_at_end(self, max_epochs: int) -> None:
        """Tell the progress of the last epoch from now on.

        Args:
            max_epochs (int): Epochs of the training that has ended.
        """
        self._constant = (max_epochs - 1) / (self.epochs or max_epochs)

    def before_train(self, runner: Runner) -> None:
        """See that there is somebody to tell, and epochs to tell of.

        Args:
            runner (Runner): The runner.

        Raises:
            ValueError: If no module can be told, the training counts
                iterations, or it has more epochs than ``epochs``.
        """
        if not modules_with(runner.model, 'set_progress'):
            raise ValueError(
                'no module of the model has a method set_progress; use '
                'mmpaco.BBNClassifier, or take mmpaco.BBNProgressHook out of '
                'the hooks'
            )
        if self._constant is not None:
            return
        if isinstance(runner.train_loop, IterBasedTrainLoop):
            raise ValueError(
                'mmpaco.BBNProgressHook counts epochs, and the training '
                'counts iterations; set train_cfg=dict(by_epoch=True, '
                'max_epochs=...)'
            )
        if (self.epochs or runner.max_epochs) < runner.max_epochs:
            raise ValueError(
                f'the training has {runner.max_epochs} epochs, and '
                f'mmpaco.BBNProgressHook(epochs={self.epochs}) is at its end '
                'before; set at least as many, or leave it out'
            )

    def before_train_epoch(self, runner: Runner) -> None:
        """Tell the modules.

        Args:
            runner (Runner): The runner, which knows the epoch.
        """
        progress = self._constant
        if progress is None:
            progress = runner.epoch / (self.epochs or runner.max_epochs)
        for module in modules_with(runner.model, 'set_progress'):
            module.set_progress(progress)
