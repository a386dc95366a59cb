"""One iteration of a training, of small images that are made for it."""

import contextlib
import io
import multiprocessing
import time
import warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import revert_sync_batchnorm
from mmengine.runner import Runner

from mmpaco.methods.needed_packages import parts
from mmpaco.methods.training_data import leaf_datasets, type_name
from mmpaco.runner.buildable import on_cpu

NUM_IMAGES = 4
SIZES = ('crop_size', 'img_scale', 'scale', 'size')


class LossNote(Hook):
    """Notes what the first iteration gave."""

    def __init__(self) -> None:
        self.losses: dict[str, float] = {}

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any, outputs: Any
    ) -> None:
        """Note the losses."""
        self.losses = {
            key: round(float(value.detach()), 4)
            for key, value in outputs.items()
        }


def without_weights(node: Any) -> None:
    """Take away the names of weights that a network would be begun from."""
    if isinstance(node, dict):
        for key in ('pretrained', 'init_cfg'):
            value = node.get(key)
            if key == 'pretrained' and isinstance(value, str):
                node[key] = None
            if 'Pretrained' in str(value):
                node[key] = None
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for value in node:
            without_weights(value)


def shrink(node: Any, size: int) -> None:
    """Set every size in a pipeline that is larger."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in SIZES and isinstance(value, int) and value > size:
                node[key] = size
            elif key in SIZES and isinstance(value, (list, tuple)):
                if value and all(isinstance(x, int) for x in value):
                    node[key] = tuple(min(x, size) for x in value)
            else:
                shrink(value, size)
    elif isinstance(node, (list, tuple)):
        for value in node:
            shrink(value, size)


def num_classes_of(model: Any) -> int:
    """Give the class count of a model, be its head inside of another."""
    head = model.get('decode_head') or model.get('head')
    found = [x['num_classes'] for x in parts(head) if 'num_classes' in x]
    return int(found[-1])


def segmentation_data(
    folder: Path, num_classes: int, size: int, channels: int
) -> dict[str, Any]:
    """Write images and label maps in blocks, and give their dataset."""
    rng = np.random.default_rng(0)
    for kind in ('images', 'labels'):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    side = -(-size // 8)
    for i in range(NUM_IMAGES):
        image = rng.integers(0, 256, (size, size, channels), np.uint8)
        ids = rng.integers(0, num_classes, (side, side), np.uint8)
        ids = ids.repeat(8, 0).repeat(8, 1)[:size, :size]
        cv2.imwrite(str(folder / f'images/{i}.png'), image)
        cv2.imwrite(str(folder / f'labels/{i}.png'), ids)
    return dict(
        type='BaseSegDataset',
        data_root=str(folder),
        data_prefix=dict(img_path='images', seg_map_path='labels'),
        img_suffix='.png',
        seg_map_suffix='.png',
        metainfo=dict(classes=[f'class {i}' for i in range(num_classes)]),
    )


def classification_data(
    folder: Path, num_classes: int, size: int
) -> dict[str, Any]:
    """Write images and their list, and give their dataset."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for i in range(NUM_IMAGES):
        image = rng.integers(0, 256, (size, size, 3), np.uint8)
        cv2.imwrite(str(folder / f'{i}.png'), image)
        lines.append(f'{i}.png {i % min(2, num_classes)}')
    (folder / 'list.txt').write_text('\n'.join(lines) + '\n')
    return dict(
        type='CustomDataset',
        data_root=str(folder),
        ann_file='list.txt',
        metainfo=dict(classes=[f'class {i}' for i in range(num_classes)]),
    )


def small_config(cfg: Config, folder: Path, size: int) -> Config:
    """Let a config train for one iteration on images that are made for it.

    Args:
        cfg (Config): The config, which is changed.
        folder (Path): Where data and logs go.
        size (int): Sides of the images of a segmentor; those of a classifier
            are as large as its own.

    Returns:
        Config: The same.
    """
    without_weights(cfg.model)
    leaf = next(iter(leaf_datasets(cfg.train_dataloader.dataset)))
    pipeline = leaf.pipeline
    num_classes = num_classes_of(cfg.model)
    if cfg.default_scope == 'mmseg':
        shrink(pipeline, size)
        for part in (cfg.model.data_preprocessor, cfg.model.backbone):
            for key in ('size', 'img_size', 'pretrain_img_size'):
                if part.get(key):
                    part[key] = (size, size)
        dataset = segmentation_data(folder / 'data', num_classes, size, 3)
        dataset['reduce_zero_label'] = any(
            step.get('reduce_zero_label') for step in pipeline
        )
    else:
        dataset = classification_data(folder / 'data', num_classes, size)
        if not type_name(pipeline[0]).startswith('Load'):
            # Some datasets hold their images.
            pipeline = [dict(type='LoadImageFromFile'), *pipeline]
    dataset['pipeline'] = pipeline
    loader = dict(
        batch_size=2,
        num_workers=0,
        dataset=dataset,
        sampler=dict(type='DefaultSampler', shuffle=True),
    )
    if 'collate_fn' in cfg.train_dataloader:
        loader['collate_fn'] = cfg.train_dataloader.collate_fn
    wrapper = dict(on_cpu(cfg.optim_wrapper), accumulative_counts=1)
    cfg.merge_from_dict(
        dict(work_dir=str(folder / 'run'), resume=False, load_from=None)
    )
    cfg.train_dataloader = loader
    cfg.optim_wrapper = wrapper
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=1)
    cfg.param_scheduler = None
    for key in ('val', 'test'):
        cfg[f'{key}_cfg'] = cfg[f'{key}_dataloader'] = None
        cfg[f'{key}_evaluator'] = None
    cfg.default_hooks = dict(checkpoint=None, logger=None)
    cfg.visualizer = None
    cfg.launcher = 'none'
    cfg.log_level = 'ERROR'
    cfg.auto_scale_lr = dict(enable=False, base_batch_size=2)
    cfg.randomness = dict(seed=0)
    return cfg


def train(config: Path, folder: Path, size: int) -> dict[str, Any]:
    """Train for one iteration.

    Args:
        config (Path): A config.
        folder (Path): Where data and logs go.
        size (int): As of :func:`small_config`.

    Returns:
        dict: ``losses``, those of the iteration, and ``seconds``.
    """
    started = time.time()
    runner = Runner.from_cfg(
        small_config(Config.fromfile(config), folder, size)
    )
    runner.model = revert_sync_batchnorm(runner.model)
    note = LossNote()
    runner.register_hook(note)
    runner.train()
    return dict(losses=note.losses, seconds=round(time.time() - started, 1))


def train_apart(
    config: Path, folder: Path, size: int, minutes: float
) -> dict[str, Any]:
    """Train for one iteration in a process of its own.

    Args:
        config (Path): As of :func:`train`, as are the next two.
        folder (Path): Where data and logs go.
        size (int): Sides of the images.
        minutes (float): How long it may take.

    Returns:
        dict: ``status``, 'trained' or 'failed', with a ``reason`` or with
        what :func:`train` gave.
    """
    # The toolboxes are imported once, for all of them.
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(
        ['stock_step', 'mmseg.models', 'mmpretrain.models']
    )
    results = context.SimpleQueue()
    process = context.Process(
        target=_train_into, args=(results, config, folder, size)
    )
    process.start()
    process.join(60 * minutes)
    if process.is_alive():
        process.kill()
        process.join()
        told = f'it takes more than {minutes:g} minutes'
        return dict(status='failed', reason=told)
    if results.empty():
        told = f'its process ended with {process.exitcode}'
        return dict(status='failed', reason=told)
    found: dict[str, Any] = results.get()
    return found


def _train_into(results: Any, *args: Any) -> None:
    warnings.simplefilter('ignore')
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            found = dict(status='trained', **train(*args))
    except Exception as error:
        told = f'{type(error).__name__}: {error}'.splitlines()[0]
        found = dict(status='failed', reason=told[:300])
    results.put(found)
