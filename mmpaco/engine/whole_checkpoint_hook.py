"""Resuming a run that was killed while it wrote a checkpoint."""

import logging
import os
from pathlib import Path
from typing import NamedTuple, Optional

from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.hooks import CheckpointHook, Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmpaco.registry import HOOKS

from .whole_checkpoint import (
    NOTE,
    is_whole,
    newest_whole,
    noted_checkpoint,
    templates_of,
)


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
        choices = [_choose(runner) if is_main_process() else None]
        broadcast_object_list(choices)
        (choice,) = choices
        if choice is None or choice.error:
            raise RuntimeError(choice.error if choice else 'no choice')
        if choice.path is not None:
            print_log(choice.warning, logger='current', level=logging.WARNING)
            runner._load_from = choice.path


def _choose(runner: Runner) -> _Choice:
    work_dir = Path(runner.work_dir)
    noted = noted_checkpoint(work_dir)
    # It may be remote, or the directory of a sharded checkpoint.
    if noted and ('://' in noted or Path(noted).is_dir() or is_whole(noted)):
        return _Choice()
    folders = [work_dir]
    if noted:
        folders.append(Path(noted).parent)
    names = []
    for hook in runner.hooks:
        if isinstance(hook, CheckpointHook):
            names.append(hook.filename_tmpl)
            if hook.out_dir is not None and '://' not in str(hook.out_dir):
                # As the hook itself will, in a folder named like this one.
                folders += [
                    Path(hook.out_dir),
                    Path(hook.out_dir) / work_dir.name,
                ]
    templates = templates_of(noted, *names)
    try:
        newest, found = newest_whole(folders, templates)
        if (work_dir / NOTE).is_dir():
            # Where a file must be written when the next one is saved.
            os.replace(work_dir / NOTE, work_dir / f'{NOTE}_folder')
    except OSError as error:
        return _Choice(error=f'{runner.work_dir} cannot be resumed: {error}')
    told = {None: 'is missing', '': 'cannot be read or is empty'}.get(
        noted, f'names {noted!r}, which is not a whole checkpoint'
    )
    if newest is not None:
        return _Choice(str(newest), f'{NOTE} {told}; resuming from {newest}')
    if noted is None:
        # Not one checkpoint was written to its end.
        return _Choice()
    places = ', '.join(dict.fromkeys(map(str, folders)))
    return _Choice(
        error=f'{NOTE} in {runner.work_dir} {told}, and there is no whole '
        f'checkpoint among the {len(found)} files named like '
        f'{", ".join(templates)} in {places}. If yours has another name or '
        'place, resume with load_from=PATH; to begin again, train without '
        '--resume. Keep max_keep_ckpts at 2 or more'
    )
