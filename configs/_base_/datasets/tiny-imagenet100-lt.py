# 100 classes of Tiny-ImageNet at 32 x 32, read from list files. The head
# class has 450 images, and IMBALANCE times as many as the last one.
data_preprocessor = dict(
    type='mmpaco.MultiViewDataPreprocessor',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    to_rgb=True,
    num_classes=100,
)

view = [
    dict(type='RandomResizedCrop', scale=32, crop_ratio_range=(0.3, 1.0)),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='RandomGrayscale', prob=0.2, keep_channels=True),
]
# Every method sees both views, so that all train on as many images.
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='MultiView', num_views=2, transforms=[view]),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=32, interpolation='area'),
    dict(type='PackInputs'),
]

train_dataset = dict(
    type='mmpaco.ImageListDataset',
    data_root='data/tiny_imagenet100',
    ann_file='train_if{{$IMBALANCE:100}}.txt',
    num_classes=100,
    pipeline=train_pipeline,
)
train_dataloader = dict(
    batch_size=128,
    num_workers=0,
    persistent_workers=False,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=train_dataset,
)

val_dataloader = dict(
    batch_size=500,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmpaco.ImageListDataset',
        data_root='data/tiny_imagenet100',
        ann_file='val.txt',
        num_classes=100,
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
val_evaluator = dict(type='mmpaco.ShotAccuracy', train_dataset=train_dataset)

test_dataloader = dict(
    batch_size=500,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmpaco.ImageListDataset',
        data_root='data/tiny_imagenet100',
        ann_file='test.txt',
        num_classes=100,
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_evaluator = [
    dict(type='mmpaco.ShotAccuracy', train_dataset=train_dataset),
    # Accuracy of each class, for the picture.
    dict(type='SingleLabelMetric', items=('recall',), average=None),
]
