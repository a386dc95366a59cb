"""Small models and label maps for the segmentation tests."""

import pytest
import torch

NUM_CLASSES = 5
IGNORE = 255


@pytest.fixture(autouse=True)
def scope(request):
    pytest.importorskip('mmseg')
    from mmengine.registry import DefaultScope

    DefaultScope.get_instance(request.node.nodeid, scope_name='mmseg')


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

    from mmengine.config import ConfigDict

    def make(**options):
        bn = dict(type='BN')
        cfg = dict(
            type='mmpaco.GPaCoEncoderDecoder',
            data_preprocessor=dict(type='SegDataPreProcessor', size=(64, 64)),
            backbone=dict(
                type='ResNetV1c',
                depth=18,
                base_channels=8,
                stem_channels=8,
                strides=(1, 2, 1, 1),
                dilations=(1, 1, 2, 4),
                contract_dilation=True,
                norm_cfg=bn,
            ),
            decode_head=dict(
                type='FCNHead',
                in_channels=64,
                channels=16,
                num_convs=1,
                num_classes=NUM_CLASSES,
                norm_cfg=bn,
            ),
            auxiliary_head=[
                dict(
                    type='FCNHead',
                    in_channels=32,
                    in_index=2,
                    channels=8,
                    num_convs=1,
                    num_classes=NUM_CLASSES,
                    norm_cfg=bn,
                    loss_decode=dict(type='CrossEntropyLoss', loss_weight=0.4),
                ),
                dict(
                    type='mmpaco.GPaCoAuxHead',
                    in_channels=16,
                    num_classes=NUM_CLASSES,
                    num_samples=20,
                    norm_cfg=bn,
                ),
            ],
            train_cfg=dict(),
            test_cfg=dict(mode='whole'),
        )
        cfg.update(options)
        return ConfigDict(cfg)

    return make


@pytest.fixture
def build():
    """Build a model from its config, with PyTorch's initialisation."""
    from mmengine.registry import MODELS

    def make(cfg, seed=0):
        torch.manual_seed(seed)
        return MODELS.build(cfg)

    return make
