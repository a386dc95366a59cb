"""The config of a small segmentor."""

from mmengine.config import ConfigDict

NUM_CLASSES = 5


def small_segmentor(**options):
    """Give the config of a small FCN with an FCN and a GPaCo head."""
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
