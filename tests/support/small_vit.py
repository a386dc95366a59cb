"""The configs of transformers, small enough for a test."""

import cv2
import numpy as np

from support.small_cls import load

# Weights of a block of the small network.
BLOCK = 12_704


def write_images(folder):
    """Write 11 images of a class and 5 of another, in folders."""
    rng = np.random.default_rng(0)
    for label, count in enumerate((11, 5)):
        (folder / f'class{label}').mkdir(parents=True)
        for i in range(count):
            image = rng.integers(0, 256, (32, 32, 3), np.uint8)
            image[..., label] //= 4
            cv2.imwrite(str(folder / f'class{label}/{i}.png'), image)


def small_config(name, folder):
    """Load a config, with 32 channels in 3 blocks and images of 32 x 32.

    Two epochs of 16 images, two in a batch, two batches for a step. Where
    there is a queue, it takes 24 keys. The folder gets the images.
    """
    write_images(folder / 'images')
    cfg = load(name)
    cfg.data_preprocessor.num_classes = 2
    cfg.model.backbone.update(img_size=32, drop_path_rate=0.0, init_cfg=None)
    cfg.model.backbone.arch = dict(
        embed_dims=32, num_layers=3, num_heads=2, feedforward_channels=128
    )
    cfg.model.head.update(num_classes=2, in_channels=32, topk=(1,))
    if 'frozen_stages' in cfg.model.backbone:
        cfg.model.backbone.frozen_stages = 2
    cfg.default_hooks.checkpoint.pop('save_best', None)
    if cfg.model.head.type == 'mmpaco.GPaCoHead':
        cfg.model.head.queue_length = 24
    # A resumed run draws other views than one that goes on.
    flip = [dict(type='RandomFlip', prob=1.0, direction='horizontal')]
    same = [dict(type='Resize', scale=32)]
    views = {
        1: dict(type='Compose', transforms=flip),
        2: dict(type='MultiView', num_views=[1, 1], transforms=[flip, same]),
    }[cfg.model.head.get('num_views', 2)]
    load_image, pack = dict(type='LoadImageFromFile'), dict(type='PackInputs')
    data = dict(type='CustomDataset', data_root=str(folder / 'images'))
    for split, steps in (('train', [views]), ('val', []), ('test', [])):
        loader = cfg[f'{split}_dataloader']
        loader.update(batch_size=2, num_workers=0, persistent_workers=False)
        loader.dataset = dict(data, pipeline=[load_image, *steps, pack])
    cfg.val_evaluator = cfg.test_evaluator = dict(type='Accuracy', topk=(1,))
    cfg.optim_wrapper.type = 'OptimWrapper'
    cfg.optim_wrapper.accumulative_counts = 2
    # The bias of a key has no gradient but rounding, which Adam would follow.
    cfg.optim_wrapper.optimizer.eps = 1e-3
    cfg.train_cfg.max_epochs = 2
    return cfg
