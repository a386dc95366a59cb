"""Small models and label maps for the segmentation tests."""

import pytest
import torch


@pytest.fixture(autouse=True)
def scope():
    pytest.importorskip('mmseg')
    from support.scope import enter_scope

    enter_scope('mmseg')


@pytest.fixture
def samples():
    """Give data samples for label maps of shape (B, H, W)."""
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    def make(labels, **metainfo):
        return [
            SegDataSample(
                metainfo=metainfo, gt_sem_seg=PixelData(data=label[None])
            )
            for label in labels
        ]

    return make


@pytest.fixture
def label_maps():
    """Give random label maps, a fifth of them ignored."""
    from support.small_segmentor import IGNORE, NUM_CLASSES

    def make(num_images, size=(64, 64), num_classes=NUM_CLASSES, seed=0):
        generator = torch.Generator().manual_seed(seed)
        shape = (num_images, *size)
        labels = torch.randint(0, num_classes, shape, generator=generator)
        labels[torch.rand(shape, generator=generator) < 0.2] = IGNORE
        return labels

    return make


@pytest.fixture(scope='session')
def segmentor_cfg():
    """Give the config of a small FCN with an FCN and a GPaCo head."""
    from support.small_segmentor import small_segmentor

    return small_segmentor


@pytest.fixture
def build():
    """Build a model from its config, with PyTorch's initialisation."""
    from mmengine.registry import MODELS

    def make(cfg, seed=0):
        torch.manual_seed(seed)
        return MODELS.build(cfg)

    return make
