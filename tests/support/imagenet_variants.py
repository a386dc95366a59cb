"""A clean ImageNet, -C, -R and -Sketch of colours, and who knows them.

The colour of an image says its class, and the classifier takes the class of
the nearest colour. So what is right is known without it.
"""

import os

import cv2
import numpy as np
import torch

from mmpaco.cls.imagenet_classes import IMAGENET_R_CLASSES, WNIDS

CORRUPTIONS = ('fog', 'contrast')
SEVERITIES = (1, 5)
MODULE = """
from mmpretrain.registry import MODELS
from torch import nn


@MODELS.register_module()
class MeanColour(nn.Module):
    def forward(self, images):
        return (images.mean((2, 3)),)
"""
CONFIG = """
default_scope = 'mmpretrain'
custom_imports = dict(imports=['mean_colour'])
model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(
        num_classes={classes}, mean=[0.0] * 3, std=[1.0] * 3, to_rgb=True),
    backbone=dict(type='MeanColour'),
    head=dict(
        type='LinearClsHead', num_classes={classes}, in_channels=3,
        loss=dict(type='CrossEntropyLoss')))
pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
test_dataloader = dict(
    batch_size=500, num_workers=0, persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ImageNet', data_root=r'{data}', split='val',
        pipeline=pipeline))
test_evaluator = [dict(type='Accuracy', topk=(1, 5))]
test_cfg = dict()
visualizer = dict(type='UniversalVisualizer')
"""


def colours(shift=0):
    """Red, green and blue of each class, those of red shifted."""
    labels = np.arange(len(WNIDS))
    digits = np.stack([labels % 10, labels // 10 % 10, labels // 100], 1)
    return 10 * digits + [shift, 0, 0]


def wrong_share(severity):
    """What is taken for another class at a severity."""
    return len(range(0, len(WNIDS), 7 - severity)) / len(WNIDS)


def right_share_of_renditions():
    """Of images between a class and the next, nearer to that."""
    known = set(IMAGENET_R_CLASSES)
    right = [x for x in known if x % 10 == 9 or x + 1 not in known]
    return len(right) / len(known)


def write_variants(folder):
    """Write the images, ``imagenet.py`` and ``imagenet.pth``."""
    pool = folder / 'pool'
    pool.mkdir()
    for shift in (0, 6):
        for label, colour in enumerate(colours(shift)):
            image = np.tile(np.uint8(colour[::-1]), (8, 8, 1))
            content = cv2.imencode('.png', image)[1]
            (pool / f'{label}_{shift}').write_bytes(content.tobytes())

    def link(place, label, shown, shift=0):
        (place / WNIDS[label]).mkdir(parents=True)
        os.link(pool / f'{shown}_{shift}', place / WNIDS[label] / '0.JPEG')

    data = folder / 'data'
    for label in range(len(WNIDS)):
        link(data / 'imagenet/val', label, label)
        # Some of the sketches show the class after.
        link(data / 'imagenet-sketch', label, (label + label % 2) % 1000)
        for corruption in CORRUPTIONS:
            for severity in SEVERITIES:
                place = data / 'imagenet-c' / corruption / str(severity)
                wrong = label % (7 - severity) == 0
                link(place, label, (label + wrong) % 1000)
    for label in IMAGENET_R_CLASSES:
        link(data / 'imagenet-r', label, label, 6)
    (folder / 'mean_colour.py').write_text(MODULE)
    write_classifier(folder, 'imagenet', 1000)
    return folder


def write_classifier(folder, name, classes):
    """Write config and weights of a classifier of the first classes."""
    text = CONFIG.format(classes=classes, data=folder / 'data/imagenet')
    (folder / f'{name}.py').write_text(text)
    centers = torch.tensor(colours()[:classes], dtype=torch.float32)
    state = {
        'head.fc.weight': 2 * centers,
        'head.fc.bias': -centers.square().sum(1),
    }
    torch.save(dict(state_dict=state), folder / f'{name}.pth')
