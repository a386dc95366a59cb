"""Run the tools of mmpretrain and mmseg, on a CPU in several processes too."""

from __future__ import annotations

import argparse
import atexit
import logging
import multiprocessing
import os
import runpy
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, Optional

import torch.distributed as dist
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.runner import CheckpointLoader

from mmpaco.compat import stock_tool

from .checkpoint import load_checkpoint
from .config_files import load_config
from .processes import end_with_caller
from .tool_arguments import KeyValues

__all__ = ['run_stock_tool']


def run_stock_tool(
    name: str,
    config: str,
    argv: Sequence[str] = (),
    trust: bool = True,
) -> None:
    """Run a tool of the package that a config belongs to.

    On a machine with a GPU the tool runs unchanged. Without one,
    ``--launcher pytorch`` and ``--launcher slurm`` run over gloo, which the
    stock tools cannot do by themselves.

    Args:
        name (str): The tool without ``.py``: ``'train'`` or ``'test'``.
        config (str): Path of the config. Its ``default_scope`` says whose
            tool runs.
        argv (Sequence[str]): What follows the config on the command line,
            passed on as it is.
        trust (bool): Whether the tool may read its checkpoint as it likes,
            and so run code that is in it. If not, the checkpoint is that
            which the tool takes from ``argv``, and local files are read by
            ``load_checkpoint``. Defaults to True.

    Raises:
        FileNotFoundError: If ``config`` is not a file.
        ImportError: If the package or its tool is not installed.
        SystemExit: If an option of mmengine is not as it must be.
        ValueError: If ``default_scope`` is neither mmpretrain nor mmseg, the
            config has no model or wants half precision without a GPU, or a
            checkpoint that is not trusted is no local file or is refused.
        RuntimeError: If the launcher is slurm and this is no task of srun.
    """
    end_with_caller()
    try:
        # The stock tool reads it again and does the custom imports then.
        cfg = load_config(config, custom_imports=False)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f'{error}; it comes first, before the options of the stock tool'
        ) from None
    scope = cfg.get('default_scope')
    if scope not in ('mmpretrain', 'mmseg'):
        raise ValueError(
            "default_scope must be 'mmpretrain' or 'mmseg', but "
            f"{config} has {scope!r}; set default_scope = 'mmpretrain' for "
            "classification or default_scope = 'mmseg' for segmentation"
        )
    if cfg.get('model') is None:
        raise ValueError(
            f'{config} has no model; give a config to train or test with, '
            'and not a file of _base_'
        )
    launcher, overrides = _read_options(argv)
    if name == 'train' and get_device() == 'cpu':
        _refuse_half_precision(cfg, overrides, argv)
    tool = stock_tool(scope, name)
    sys.argv = [str(tool), config, *argv]
    if not trust:
        # By its own parser, which knows the options that take a value.
        stock = runpy.run_path(str(tool), run_name='mmpaco_stock_tool')
        checkpoint = stock['parse_args']().checkpoint
        if '://' in checkpoint:
            raise ValueError(
                f'{checkpoint} is no local file, so it cannot be read without '
                'running code that may be in it. Fetch it first, or pass '
                '--trust if you trust whoever wrote it'
            )
        CheckpointLoader.register_scheme('', load_from_local, force=True)
        # To resume, mmengine runs the config that is in the checkpoint.
        argv = [*argv, '--cfg-options', 'resume=False']

    arguments = list(argv)
    over_gloo = get_device() == 'cpu' and launcher in ('pytorch', 'slurm')
    if over_gloo:
        if launcher == 'slurm':
            _read_slurm()
        # mmengine would start nccl and pick a GPU; it leaves alone a process
        # group that is there already. The end of the process ends the group:
        # to destroy one of gloo's sometimes hangs in torch 2.1.
        dist.init_process_group('gloo')
        cfg.merge_from_dict(overrides)
        arguments += _wrapper_options(cfg)
    sys.argv = [str(tool), config, *arguments]
    if over_gloo:
        # Before the tool starts: what it registers is to be called first.
        atexit.register(_leave)
    try:
        runpy.run_path(str(tool), run_name='__main__')
    except BaseException:
        # The status of a failure is Python's.
        atexit.unregister(_leave)
        raise


def load_from_local(filename: str, map_location: Any) -> dict[str, Any]:
    """Load a checkpoint for the stock tools, named as mmengine's own.

    It is on the CPU: what it is loaded into moves it.
    """
    return load_checkpoint(filename)


def _leave() -> None:
    """End a process that has succeeded, without finalising Python.

    A thread of gloo may be about to drop the tensor of the last collective.
    If the interpreter is taken down meanwhile, the thread aborts the process.
    """
    for child in multiprocessing.active_children():
        if child.daemon:
            child.terminate()
        child.join()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _read_options(argv: Sequence[str]) -> tuple[Optional[str], dict[str, Any]]:
    """Read the launcher and the overrides as the stock tools will."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument('--launcher')
    parser.add_argument(
        '--cfg-options', nargs='+', action=KeyValues, default={}
    )
    args = parser.parse_known_args(argv)[0]
    return args.launcher, args.cfg_options


def _refuse_half_precision(
    cfg: Config, overrides: dict[str, Any], argv: Sequence[str]
) -> None:
    """Say what mmengine's assertion does not: how to train without a GPU."""
    if '--amp' in argv:
        raise ValueError('--amp needs a GPU, and there is none; leave it out')
    wrapper = cfg.get('optim_wrapper') or {}
    if (
        overrides.get('optim_wrapper.type', wrapper.get('type'))
        == 'AmpOptimWrapper'
    ):
        raise ValueError(
            'AmpOptimWrapper, which is half precision, needs a GPU, and there '
            'is none; add --cfg-options optim_wrapper.type=OptimWrapper'
        )


def _read_slurm() -> None:
    """Tell torch what Slurm told this task, as mmengine does with a GPU."""
    try:
        os.environ['RANK'] = os.environ['SLURM_PROCID']
        os.environ['LOCAL_RANK'] = os.environ['SLURM_LOCALID']
        os.environ['WORLD_SIZE'] = os.environ['SLURM_NTASKS']
        nodes = os.environ['SLURM_NODELIST']
    except KeyError as error:
        raise RuntimeError(
            f'--launcher slurm needs the variable {error}, which srun sets '
            'for its tasks; start it with tools/slurm_train.sh or '
            'tools/slurm_test.sh'
        ) from None
    if 'MASTER_ADDR' not in os.environ:
        names = subprocess.check_output(
            ['scontrol', 'show', 'hostnames', nodes], text=True
        )
        os.environ['MASTER_ADDR'] = names.split()[0]
    os.environ.setdefault('MASTER_PORT', '29500')


def _wrapper_options(cfg: Config) -> list[str]:
    """Return the options that wrap the model for a CPU."""
    wrapper = cfg.get('model_wrapper_cfg') or {}
    stock = 'MMDistributedDataParallel'
    if wrapper.get('type', stock) != stock:
        # A wrapper of the user's own choice.
        return []
    options = ['model_wrapper_cfg.type=mmpaco.CPUDistributedDataParallel']
    # The runner reads this key only if there is no wrapper config.
    unused = 'find_unused_parameters'
    if unused in cfg and unused not in wrapper:
        options.append(f'model_wrapper_cfg.{unused}={cfg[unused]}')
    return ['--cfg-options', *options]
