"""Resuming a run that was killed while it wrote a checkpoint."""

import logging
import zipfile
from pathlib import Path
from typing import Union

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner, find_latest_checkpoint

from mmpaco.registry import HOOKS


@HOOKS.register_module()
class WholeCheckpointHook(Hook):
    """Before an automatic resume, see that its checkpoint is whole.

    mmengine resumes from the path in ``last_checkpoint``. A kill can leave
    that note empty, or pointing to a file that is half written
    (``save_best`` writes a checkpoint a second time) or gone
    (``max_keep_ckpts=1`` removes the old one before it writes the new one;
    or the work directory was moved). Then this hook takes the newest
    ``epoch_*.pth`` or ``iter_*.pth`` that is whole. Where the note is right,
    or a checkpoint is named by the user, it changes nothing.
    """

    def before_run(self, runner: Runner) -> None:
        """Choose another checkpoint if the noted one cannot be read.

        Args:
            runner (Runner): The runner, which has not resumed yet.

        Raises:
            RuntimeError: If no checkpoint of the run is whole.
        """
        if not runner._resume or runner._load_from is not None:
            return
        noted = find_latest_checkpoint(runner.work_dir)
        # Without a note nothing was saved yet.
        if noted is None or _is_whole(noted):
            return
        folders = [Path(runner.work_dir)]
        if noted:
            # It may be remote, or the directory of a sharded checkpoint.
            if '://' in noted or Path(noted).is_dir():
                return
            folders.append(Path(noted).parent)
        whole = [
            path
            for folder in folders
            for kind in ('epoch', 'iter')
            for path in folder.glob(f'{kind}_*.pth')
            if _is_whole(path)
        ]
        if not whole:
            raise RuntimeError(
                f'last_checkpoint in {runner.work_dir} names {noted!r}, which '
                'is not a whole checkpoint, and there is no other beside it. '
                'Remove last_checkpoint to begin again, and keep '
                'max_keep_ckpts at 2 or more'
            )
        newest = max(whole, key=lambda path: path.stat().st_mtime_ns)
        print_log(
            f'last_checkpoint names {noted!r}, which is not a whole '
            f'checkpoint; resuming from {newest}',
            logger='current',
            level=logging.WARNING,
        )
        runner._load_from = str(newest)


def _is_whole(path: Union[str, Path]) -> bool:
    # torch writes an archive, whose directory comes last.
    try:
        zipfile.ZipFile(path).close()
    except (OSError, zipfile.BadZipFile):
        return False
    return True
