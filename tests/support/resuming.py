"""Trainings in this process that are resumed."""

import copy
import uuid

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner


class StartHook(Hook):
    """Notes where a training begins."""

    def before_train(self, runner):
        self.epoch = runner.epoch
        self.state = copy.deepcopy(runner.model.state_dict())


def train(config, work_dir, hooks=(), **options):
    """Train in this process; return the runner and how it began."""
    cfg = Config.fromfile(str(config))
    cfg.work_dir = str(work_dir)
    # Runners of one process and one second would share a logger.
    cfg.experiment_name = uuid.uuid4().hex
    cfg.merge_from_dict(options)
    runner = Runner.from_cfg(cfg)
    start = StartHook()
    for hook in (start, *hooks):
        runner.register_hook(hook)
    runner.train()
    return runner, start
