"""Models in training with random batches, of either package of OpenMMLab."""

from collections.abc import Sequence
from functools import partial
from importlib import import_module
from typing import Any, Callable, NamedTuple

import torch
from mmengine.config import Config
from mmengine.model import BaseModel, revert_sync_batchnorm
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.structures import PixelData

from mmpaco.losses import ClassPrior, EmbeddingQueue

NEEDS = ('model.backbone', 'optim_wrapper')
Batch = dict[str, Any]


class Trained(NamedTuple):
    """A model in training, and what makes its next batch."""

    model: BaseModel
    wrapper: OptimWrapper
    batch: Callable[[], Batch]


def seg_batch(num_images: int, size: Sequence[int], num_classes: int) -> Batch:
    """Noise in blocks of 16 pixels, a tenth of it without a label."""
    from mmseg.structures import SegDataSample

    blocks = torch.rand(num_images, 1, -(-size[0] // 16), -(-size[1] // 16))
    blocks = blocks.repeat_interleave(16, 2).repeat_interleave(16, 3)
    labels = (blocks[..., : size[0], : size[1]] * num_classes / 0.9).long()
    labels[labels >= num_classes] = 255
    return dict(
        inputs=list(torch.randint(0, 256, (num_images, 3, *size)).byte()),
        data_samples=[
            SegDataSample(gt_sem_seg=PixelData(data=label)) for label in labels
        ],
    )


def cls_batch(
    num_images: int, size: Sequence[int], num_classes: int, num_views: int
) -> Batch:
    """Two views of random images, or as many images in one."""
    from mmpretrain.structures import DataSample

    views = list(torch.randint(0, 256, (2, num_images, 3, *size)).byte())
    labels = torch.randint(num_classes, (num_images,)).tolist()
    if num_views == 1:
        return dict(
            inputs=torch.cat(views),
            data_samples=[DataSample().set_gt_label(x) for x in labels * 2],
        )
    return dict(
        inputs=views,
        data_samples=[DataSample().set_gt_label(x) for x in labels],
    )


def build(
    cfg: Config, num_images: int, size: Sequence[int], device: str, dtype: str
) -> Trained:
    """Build a model and its optimizer, with a full queue and a prior."""
    scope = cfg.get('default_scope', 'mmseg')
    models = import_module(f'{scope}.registry').MODELS
    cfg.model.backbone.init_cfg = None
    if scope == 'mmseg':
        cfg.model.pretrained = None
        cfg.model.data_preprocessor.size = tuple(size)
    else:
        cfg.model.data_preprocessor = cfg.data_preprocessor
    # As the run of a config has it.
    torch.backends.cudnn.benchmark = bool(
        cfg.get('env_cfg', {}).get('cudnn_benchmark', False)
    )
    torch.manual_seed(0)
    model = revert_sync_batchnorm(models.build(cfg.model))
    num_classes = (model if scope == 'mmseg' else model.head).num_classes
    for module in model.modules():
        if isinstance(module, ClassPrior):
            module.set_class_counts(range(1, num_classes + 1))
        if isinstance(module, EmbeddingQueue):
            rows = torch.randn(module.length, module.rows.shape[1])
            module.append(rows, torch.randint(num_classes, (len(rows),)))
    model = model.to(device).train()
    wrapper = dict(cfg.optim_wrapper)
    wrapper.pop('dtype', None)
    wrapper['type'] = 'OptimWrapper'
    if dtype != 'float32':
        wrapper.update(type='AmpOptimWrapper', dtype=dtype)
    given: tuple = (num_images, size, num_classes)
    if scope == 'mmpretrain':
        views = getattr(model.data_preprocessor, 'num_views', 1)
        make: Callable[..., Batch] = partial(cls_batch, *given, views)
    else:
        make = partial(seg_batch, *given)
    return Trained(model, build_optim_wrapper(model, wrapper), make)


def take_step(trained: Trained, batch: Batch) -> None:
    trained.model.train_step(batch, trained.wrapper)
    # What mmpaco.PaCoQueueHook does in a run.
    for module in trained.model.modules():
        if isinstance(module, EmbeddingQueue):
            module.append(*module.take_staged())
        elif hasattr(module, 'end_iteration'):
            module.end_iteration()
