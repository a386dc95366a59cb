"""Distributed training on machines without a GPU."""

from __future__ import annotations

from typing import Any

import torch.nn as nn
from mmengine.logging import print_log
from mmengine.model import MMDistributedDataParallel, revert_sync_batchnorm

from mmpaco.registry import MODEL_WRAPPERS


@MODEL_WRAPPERS.register_module()
class CPUDistributedDataParallel(MMDistributedDataParallel):
    """``MMDistributedDataParallel`` for processes that have no GPU.

    SyncBN refuses to run on a CPU, so those layers become plain batch norm:
    each process normalises by its own part of the batch. Device ids, which
    the runner passes to every wrapper of this kind, are dropped.

    Args:
        module (nn.Module): The model to wrap.
        device_ids (Any): Ignored. Defaults to None.
        broadcast_buffers (bool): As in ``DistributedDataParallel``. Defaults
            to False, the value mmengine's runner uses.
        **kwargs (Any): Passed to ``MMDistributedDataParallel``.

    Example:
        >>> import tempfile
        >>> from torch import distributed, nn
        >>> from mmpaco.registry import MODEL_WRAPPERS
        >>> file = 'file://' + tempfile.mkdtemp() + '/ranks'
        >>> distributed.init_process_group('gloo', file, rank=0, world_size=1)
        >>> net = nn.Sequential(nn.Conv2d(3, 8, 1), nn.SyncBatchNorm(8))
        >>> model = MODEL_WRAPPERS.build(
        ...     dict(type='mmpaco.CPUDistributedDataParallel', module=net))
        >>> isinstance(model.module[1], nn.SyncBatchNorm)
        False
        >>> distributed.destroy_process_group()
    """

    def __init__(
        self,
        module: nn.Module,
        device_ids: Any = None,
        broadcast_buffers: bool = False,
        **kwargs: Any,
    ) -> None:
        names = [
            name
            for name, child in module.named_modules()
            # By name: mmcv's own SyncBN exists only in some builds of mmcv.
            if type(child).__name__ == 'SyncBatchNorm'
        ]
        if names:
            print_log(
                f'There is no GPU: {len(names)} SyncBN layers were reverted '
                'to batch norm, whose statistics are those of one process.',
                logger='current',
            )
        super().__init__(
            module=revert_sync_batchnorm(module),
            device_ids=None,
            broadcast_buffers=broadcast_buffers,
            **kwargs,
        )
