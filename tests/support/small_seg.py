"""The segmentation configs made small, and images in their layouts."""

from pathlib import Path

import cv2
import numpy as np
from mmengine.config import Config

from support.paths import CONFIGS

DATA = ('ade20k', 'coco-stuff10k', 'pascal-context59', 'cityscapes', 'camvid')
RATIOS = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)


def load(kind, name):
    return Config.fromfile(CONFIGS / kind / f'{name}.py')


def data_of(name):
    return next(data for data in DATA if name.endswith(data))


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), array)


def image_and_ids(rng, ids):
    """A street-sized image, small, and ids in blocks, some of them void."""
    image = rng.integers(0, 256, (48, 80, 3), np.uint8)
    blocks = rng.choice(ids, (6, 10)).astype(np.uint8)
    return image, blocks.repeat(8, 0).repeat(8, 1)


def write_ade20k(root, rng):
    for split in ('training', 'validation'):
        for i in (1, 2):
            stem = f'{split}/ADE_{split[:-3]}_{i:08}'
            image, ids = image_and_ids(rng, range(151))
            save(root / f'images/{stem}.jpg', image)
            save(root / f'annotations/{stem}.png', ids)


def write_coco_stuff10k(root, rng):
    for split in ('train2014', 'test2014'):
        for i in (1, 2):
            stem = f'{split}/COCO_train2014_{i:012}'
            image, ids = image_and_ids(rng, range(172))
            save(root / f'images/{stem}.jpg', image)
            save(root / f'annotations/{stem}_labelTrainIds.png', ids)


def write_pascal_context59(root, rng):
    lists = root / 'ImageSets/SegmentationContext'
    lists.mkdir(parents=True)
    for split in ('train', 'val'):
        stems = [f'2008_{split}_{i:06}' for i in (1, 2)]
        (lists / f'{split}.txt').write_text('\n'.join(stems) + '\n')
        for stem in stems:
            image, ids = image_and_ids(rng, range(60))
            save(root / f'JPEGImages/{stem}.jpg', image)
            save(root / f'SegmentationClassContext/{stem}.png', ids)


def write_cityscapes(root, rng):
    for split, city in (('train', 'aachen'), ('val', 'munster')):
        for i in (0, 1):
            stem = f'{split}/{city}/{city}_{i:06}_000019'
            image, ids = image_and_ids(rng, [*range(19), 255])
            save(root / f'leftImg8bit/{stem}_leftImg8bit.png', image)
            save(root / f'gtFine/{stem}_gtFine_labelTrainIds.png', ids)


def write_camvid(root, rng):
    for split in ('train', 'val'):
        for i in (0, 1):
            image, ids = image_and_ids(rng, [*range(11), 255])
            save(root / f'images/{split}/0001TP_{i:06}.jpg', image)
            save(root / f'annotations/{split}/0001TP_{i:06}.png', ids)


WRITERS = dict(
    zip(
        DATA,
        (
            write_ade20k,
            write_coco_stuff10k,
            write_pascal_context59,
            write_cityscapes,
            write_camvid,
        ),
    )
)


def small_options(kind, name, root):
    """Options that make a model and its images small, and change no more."""
    crop, size = (32, 48), (80, 48)
    options = {
        'model.data_preprocessor.size': crop,
        'train_cfg.val_interval': 2,
        'default_hooks.logger.interval': 1,
        'default_hooks.checkpoint.interval': 1,
        'default_hooks.visualization.interval': 1,
        'train_dataloader.batch_size': 2,
        'train_dataloader.dataset.pipeline.2.scale': size,
        'train_dataloader.dataset.pipeline.3.crop_size': crop,
        'model.decode_head.channels': 16,
    }
    for split in ('train', 'val', 'test'):
        loader = f'{split}_dataloader'
        options[f'{loader}.dataset.data_root'] = root
        options[f'{loader}.num_workers'] = 0
        options[f'{loader}.persistent_workers'] = False
        if split != 'train':
            options[f'{loader}.dataset.pipeline.1.scale'] = size
    for i, ratio in enumerate(RATIOS):
        scale = tuple(int(x * ratio) for x in size)
        options[f'tta_pipeline.1.transforms.0.{i}.scale'] = scale
    if data_of(name) == 'pascal-context59':
        options['model.test_cfg.crop_size'] = (48, 48)
        options['model.test_cfg.stride'] = (32, 32)

    auxiliary = 'model.auxiliary_head'
    if kind == 'gpaco':
        options['model.gpaco.num_samples'] = 64
    options[f'{auxiliary}.channels'] = 8
    if 'swin' in name:
        options['model.backbone.init_cfg'] = None
        options['model.backbone.embed_dims'] = 8
        options['model.backbone.depths'] = [1, 1, 1, 1]
        options['model.backbone.num_heads'] = [1, 1, 2, 2]
        options['model.decode_head.in_channels'] = [8, 16, 32, 64]
        options[f'{auxiliary}.in_channels'] = 32
    else:
        expansion = 1 if '_r18_' in name else 4
        options['model.pretrained'] = None
        options['model.backbone.base_channels'] = 8
        options['model.backbone.stem_channels'] = 8
        options['model.decode_head.in_channels'] = 64 * expansion
        options['model.decode_head.c1_in_channels'] = 8 * expansion
        options['model.decode_head.c1_channels'] = 4
        options[f'{auxiliary}.in_channels'] = 32 * expansion
    return options


def small_config(kind, name, root):
    cfg = load(kind, name)
    options = small_options(kind, name, root)
    options = {
        k: str(v) if isinstance(v, Path) else v for k, v in options.items()
    }
    cfg.merge_from_dict(options)
    # The one that inference_model reads.
    cfg.test_pipeline = cfg.test_dataloader.dataset.pipeline
    return cfg
