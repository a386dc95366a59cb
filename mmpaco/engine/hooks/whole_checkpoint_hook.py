"""Resuming a run that was killed while it wrote a checkpoint."""

import contextlib
import itertools
import logging
import os
from pathlib import Path
from typing import Any, NamedTuple, Optional

from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.hooks import CheckpointHook, Hook
from mmengine.logging import print_log
from mmengine.runner import EpochBasedTrainLoop, Runner

from mmpaco.engine.data_state import averages, plain_name, unwrapped
from mmpaco.engine.distributed import share_statistics
from mmpaco.engine.whole_checkpoint import (
    NOTE,
    Names,
    is_whole,
    newest_whole,
    noted_checkpoint,
)
from mmpaco.registry import HOOKS


class _Choice(NamedTuple):
    """What is to be resumed, if not what is noted, or why nothing can be."""

    path: Optional[str] = None
    warning: str = ''
    error: str = ''


@HOOKS.register_module()
class WholeCheckpointHook(Hook):
    """Before an automatic resume, see that its checkpoint is whole.

    mmengine resumes from the path in ``last_checkpoint``. A kill or a power
    cut can leave that note empty, unreadable or missing, or pointing to a file
    that is half written or has a hole (``save_best`` writes a checkpoint a
    second time) or is gone (``max_keep_ckpts=1`` removes the old one before it
    writes the new one; or the work directory was moved). Then this hook takes
    the newest whole checkpoint of the run: of the names that its
    ``CheckpointHook`` gives, ``epoch_*.pth``, ``iter_*.pth``, or such as the
    noted one. Where the note is right, or a checkpoint is named by the user,
    it changes nothing.

    It also lets no checkpoint be written whose weights are not finite, and
    has all ranks validate what rank 0 saves: mmengine's DDP leaves each rank
    its own running statistics of batch norm, and each predicts a part of the
    images. And where a resumed run has epochs of another length, by other
    batches or processes, it tells the optimizer its last iteration, with which
    ``accumulative_counts`` divides the gradients: mmengine takes that of a run
    whose epochs all had the new length.

    Example:
        >>> from types import SimpleNamespace
        >>> from torch import nn
        >>> from mmpaco.registry import HOOKS
        >>> hook = HOOKS.build(dict(type='mmpaco.WholeCheckpointHook'))
        >>> net = nn.Linear(4, 2)
        >>> _ = nn.init.constant_(net.bias, float('nan'))
        >>> checkpoint = dict(state_dict=net.state_dict(), meta=dict(iter=7))
        >>> hook.before_save_checkpoint(SimpleNamespace(model=net), checkpoint)
        Traceback (most recent call last):
            ...
        RuntimeError: no checkpoint is written after iteration 7: 1 weights are
        not finite, such as bias. Lower the learning rate ...
    """

    def before_run(self, runner: Runner) -> None:
        """Choose another checkpoint if the noted one cannot be read.

        Args:
            runner (Runner): The runner, which has not resumed yet.

        Raises:
            RuntimeError: If a checkpoint is noted and none is whole.
        """
        if not runner._resume or runner._load_from is not None:
            return
        # All ranks must resume from one file, which one of them reads.
        choices = [_choose(runner) if is_main_process() else _Choice()]
        broadcast_object_list(choices)
        (choice,) = choices
        if choice.error:
            raise RuntimeError(choice.error)
        if choice.warning:
            print_log(choice.warning, logger='current', level=logging.WARNING)
        if choice.path is not None:
            runner._load_from = choice.path

    def before_train(self, runner: Runner) -> None:
        """Tell the optimizer the last iteration.

        Args:
            runner (Runner): The runner, which has resumed.
        """
        loop = runner.train_loop
        if not isinstance(loop, EpochBasedTrainLoop):
            return
        left = (loop.max_epochs - loop.epoch) * len(loop.dataloader)
        if loop.iter + left != loop.max_iters:
            runner.optim_wrapper.initialize_count_status(
                runner.model, loop.iter, loop.iter + left
            )

    def before_val_epoch(self, runner: Runner) -> None:
        """Give all ranks the running statistics of rank 0.

        Args:
            runner (Runner): It holds the model.
        """
        share_statistics(unwrapped(runner.model), *averages(runner))

    def before_test_epoch(self, runner: Runner) -> None:
        """Give all ranks the running statistics of rank 0.

        Args:
            runner (Runner): It holds the model.
        """
        self.before_val_epoch(runner)

    def before_save_checkpoint(
        self, runner: Runner, checkpoint: dict[str, Any]
    ) -> None:
        """Refuse to save what cannot be resumed from.

        Args:
            runner (Runner): It holds the model.
            checkpoint (dict): What is going to be saved.

        Raises:
            RuntimeError: If a weight is not finite.
        """
        state = checkpoint['state_dict']
        names = dict(unwrapped(runner.model).named_parameters())
        wrong = [
            name
            for name in map(plain_name, names)
            if name in state and not state[name].isfinite().all()
        ]
        if wrong:
            raise RuntimeError(
                'no checkpoint is written after iteration '
                f'{checkpoint["meta"]["iter"]}: {len(wrong)} weights are not '
                f'finite, such as {wrong[0]}. '
                'Lower the learning rate or clip gradients, and resume from '
                'the checkpoint before'
            )


def _choose(runner: Runner) -> _Choice:
    work_dir = Path(runner.work_dir)
    noted = noted_checkpoint(work_dir)
    hooks = [x for x in runner.hooks if isinstance(x, CheckpointHook)]
    names = Names(noted, [hook.filename_tmpl for hook in hooks])
    # It may be remote, or the directory of a sharded checkpoint.
    if noted and (
        '://' in noted
        or is_whole(noted)
        or (names.noted is not None and _holds_something(noted))
    ):
        return _Choice()
    folders = [work_dir]
    for hook in hooks:
        if hook.out_dir is not None and '://' not in str(hook.out_dir):
            # As the hook itself will, in a folder named like this one.
            folders.append(Path(hook.out_dir) / work_dir.name)
    if noted and names.noted is not None:
        folders.append(Path(noted).parent)
    newest, looked = newest_whole(folders, names)
    _put_aside(work_dir / NOTE)
    told = {None: 'is missing', '': 'cannot be read or is empty'}.get(
        noted, f'names {noted!r}, which is not a whole checkpoint'
    )
    if newest is not None:
        return _Choice(str(newest), f'{NOTE} {told}; resuming from {newest}')
    places = ', '.join(dict.fromkeys(map(str, folders)))
    told = (
        f'{NOTE} in {runner.work_dir} {told}, and there is no whole '
        f'checkpoint among the {looked} files named like '
        f'{", ".join(names.templates)} in {places}'
    )
    if noted is None:
        # Not one checkpoint was written to its end.
        return _Choice(warning=f'{told}; training begins' if looked else '')
    return _Choice(
        error=f'{told}. If yours has another name or place, resume with '
        'load_from=PATH; to begin again, train without --resume. Keep '
        'max_keep_ckpts at 2 or more'
    )


def _holds_something(path: str) -> bool:
    with contextlib.suppress(OSError):
        return bool(os.listdir(path))
    return False


def _put_aside(note: Path) -> None:
    """Make way for the note that is written with the next checkpoint."""
    if note.is_dir():
        names = (f'{NOTE}_folder{i or ""}' for i in itertools.count())
        free = next(x for x in names if not note.with_name(x).exists())
        with contextlib.suppress(OSError):
            note.rename(note.with_name(free))
