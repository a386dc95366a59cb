"""A small classifier of 32 x 32 images, and batches of two views."""

import torch
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from .scope import enter_scope

NUM_CLASSES, QUEUE = 10, 48


def classifier_config(momentum):
    """Give the config of PaCo, or of GPaCo without a momentum."""
    return dict(
        type='mmpaco.PaCoClassifier',
        momentum=momentum,
        data_preprocessor=dict(
            type='mmpaco.MultiViewDataPreprocessor',
            mean=[128.0] * 3,
            std=[64.0] * 3,
        ),
        backbone=dict(type='mmpaco.CIFARResNet', depth=20),
        neck=dict(type='GlobalAveragePooling'),
        head=dict(
            type='mmpaco.GPaCoHead',
            num_classes=NUM_CLASSES,
            in_channels=64,
            queue_length=QUEUE,
        ),
    )


def small_classifier(momentum=None):
    """Build it for training; the same weights in every call."""
    enter_scope('mmpretrain')
    torch.manual_seed(0)
    model = MODELS.build(classifier_config(momentum))
    model.init_weights()
    model.head.prior.set_class_counts(range(NUM_CLASSES, 0, -1))
    return model.train()


def two_views(num_images, seed=0):
    """Give two views of random images, as a loader does."""
    generator = torch.Generator().manual_seed(seed)
    shape = (num_images, 3, 32, 32)
    views = [
        torch.randint(256, shape, generator=generator, dtype=torch.uint8)
        for _ in range(2)
    ]
    labels = [(seed + i) % NUM_CLASSES for i in range(num_images)]
    return dict(
        inputs=views,
        data_samples=[DataSample().set_gt_label(label) for label in labels],
    )
