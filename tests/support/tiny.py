"""A config that trains in seconds, and its images."""

import cv2
import numpy as np

TINY_CONFIG = """
default_scope = 'mmpretrain'
norm = dict(type='{norm}')
model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(num_classes=2, mean=[127.], std=[64.]),
    backbone=dict(
        type='ResNet_CIFAR', depth=18, num_stages=2, in_channels=1,
        stem_channels=4, base_channels=4, out_indices=(1, ),
        strides=(1, 2), dilations=(1, 1), norm_cfg=norm),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead', num_classes=2, in_channels=8, topk=(1, ),
        loss=dict(type='CrossEntropyLoss')))
pipeline = [
    dict(type='LoadImageFromFile', color_type='grayscale'),
    dict(type='PackInputs')]
train_dataloader = dict(
    batch_size=4, num_workers=0, persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='CustomDataset', data_root=r'{data}', pipeline=pipeline))
val_dataloader = test_dataloader = dict(
    batch_size=4, num_workers=0, persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CustomDataset', data_root=r'{data}', pipeline=pipeline))
val_evaluator = test_evaluator = dict(type='Accuracy', topk=(1, ))
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.05, momentum=0.9))
train_cfg = dict(by_epoch=True, max_epochs=4, val_interval=4)
val_cfg = test_cfg = dict()
default_hooks = dict(logger=dict(type='LoggerHook', interval=1))
randomness = dict(seed=0)
"""


def write_tiny(folder, norm='BN', extra=''):
    """Write ``tiny.py``, and 16 dark and 16 light images, to a folder."""
    rng = np.random.default_rng(0)
    for label, level in (('dark', 60), ('light', 190)):
        (folder / 'data' / label).mkdir(parents=True, exist_ok=True)
        for i in range(16):
            image = rng.normal(level, 10, (8, 8)).clip(0, 255)
            path = folder / 'data' / label / f'{i}.png'
            cv2.imwrite(str(path), image.astype(np.uint8))
    text = TINY_CONFIG.format(norm=norm, data=folder / 'data') + extra
    (folder / 'tiny.py').write_text(text)
    return folder
