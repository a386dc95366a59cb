"""Trains configs as one of two ranks, over gloo.

``python compared_ranks.py FOLDER RANK CONFIG...`` trains each config of the
folder and writes ``FOLDER/NAME.rank{RANK}.pth``.
"""

import os
import sys
import uuid

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import distributed

RANKS = 2


@HOOKS.register_module()
class NoteMeanHook(Hook):
    """Notes the mean feature after each iteration, and the batch it was of.

    Batch norm of the head keeps its statistics, which ranks would not share.
    """

    priority = 'LOWEST'

    def before_train(self, runner):
        self.told = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        for module in runner.model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.eval()

    def after_train_iter(self, runner, batch_idx, data_batch, outputs):
        model = getattr(runner.model, 'module', runner.model)
        if hasattr(model.head, 'mean'):
            self.told.append(model.head.mean().clone())


def train(path, work_dir, launcher='none', **options):
    """Train a config; return its weights and means of each iteration."""
    cfg = Config.fromfile(str(path))
    cfg.work_dir = str(work_dir)
    cfg.experiment_name = uuid.uuid4().hex
    cfg.merge_from_dict(options)
    cfg.launcher = launcher
    if launcher != 'none':
        cfg.model_wrapper_cfg = dict(type='mmpaco.CPUDistributedDataParallel')
    runner = Runner.from_cfg(cfg)
    note = NoteMeanHook()
    runner.register_hook(note)
    runner.train()
    model = getattr(runner.model, 'module', runner.model)
    return dict(weights=model.state_dict(), means=note.told)


def main(folder, rank, *names):
    distributed.init_process_group(
        'gloo', f'file://{folder}/store', rank=rank, world_size=RANKS
    )
    for name in names:
        found = train(f'{folder}/{name}.py', f'{folder}/{name}', 'pytorch')
        torch.save(found, f'{folder}/{name}.rank{rank}.pth')
    # Threads of gloo now and then abort an interpreter that ends.
    os._exit(0)


if __name__ == '__main__':
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
