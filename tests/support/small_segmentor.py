"""The config of a small segmentor, and of a run of it."""

import uuid

import cv2
import numpy as np
from mmengine.config import Config, ConfigDict

NUM_CLASSES, IGNORE = 5, 255


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


def small_run(folder, **model_options):
    """Give the config of a run on eight images, which are written."""
    rng = np.random.default_rng(0)
    for kind in ('images', 'labels'):
        (folder / 'data' / kind).mkdir(parents=True, exist_ok=True)
    for i in range(8):
        labels = np.kron(
            rng.integers(0, NUM_CLASSES, (5, 6)), np.ones((16, 16), int)
        )
        image = 40 * labels[..., None] + rng.integers(0, 40, (80, 96, 3))
        labels[:8] = IGNORE
        for kind, array in (('images', image), ('labels', labels)):
            path = folder / 'data' / kind / f'{i}.png'
            assert cv2.imwrite(str(path), array.astype(np.uint8))
    dataset = dict(
        type='BaseSegDataset',
        data_root=str(folder / 'data'),
        data_prefix=dict(img_path='images', seg_map_path='labels'),
        img_suffix='.png',
        metainfo=dict(classes=[str(i) for i in range(NUM_CLASSES)]),
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations'),
            dict(type='RandomCrop', crop_size=(64, 64)),
            dict(type='PackSegInputs'),
        ],
    )
    test_dataset = dict(
        dataset, test_mode=True, pipeline=[dict(type='LoadImageFromFile')]
    )
    test_dataset['pipeline'] += [
        dict(type='LoadAnnotations'),
        dict(type='PackSegInputs'),
    ]
    loader = dict(
        batch_size=2,
        num_workers=0,
        persistent_workers=False,
        dataset=dataset,
        sampler=dict(type='InfiniteSampler', shuffle=True),
    )
    return Config(
        dict(
            default_scope='mmseg',
            # Runners of one process and one second would share a logger.
            experiment_name=uuid.uuid4().hex,
            work_dir=str(folder / 'work_dir'),
            model=small_segmentor(**model_options),
            train_dataloader=loader,
            val_dataloader=dict(
                loader,
                batch_size=1,
                dataset=test_dataset,
                sampler=dict(type='DefaultSampler', shuffle=False),
            ),
            val_evaluator=dict(type='IoUMetric', iou_metrics=['mIoU']),
            optim_wrapper=dict(
                optimizer=dict(type='SGD', lr=0.05, momentum=0.9)
            ),
            train_cfg=dict(
                type='IterBasedTrainLoop', max_iters=4, val_interval=4
            ),
            val_cfg=dict(),
            default_hooks=dict(
                checkpoint=dict(
                    type='CheckpointHook', interval=4, by_epoch=False
                ),
                logger=dict(type='LoggerHook', interval=1),
            ),
            custom_hooks=[dict(type='EMAHook', momentum=0.3)],
            randomness=dict(seed=0),
            log_level='WARNING',
        )
    )
