"""Learning rates of whole trainings."""

import copy

import torch
from mmengine.registry import PARAM_SCHEDULERS


def rates(cfg):
    """The rate of each epoch, as ParamSchedulerHook steps it."""
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], cfg.optim_wrapper.optimizer.lr)
    schedulers = [
        PARAM_SCHEDULERS.build(
            copy.deepcopy(x), default_args=dict(optimizer=optimizer)
        )
        for x in cfg.param_scheduler
    ]
    found = []
    for _ in range(cfg.train_cfg.max_epochs):
        found.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in schedulers:
            assert scheduler.by_epoch
            scheduler.step()
    return found
