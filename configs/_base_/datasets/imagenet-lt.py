# ImageNet-LT: 115,846 images to train, of 1280 to 5 a class. Choices are made
# on the list to validate; the list to test has no part in them.
_base_ = '../pipelines/test_224.py'

data_preprocessor = dict(
    num_classes=1000,
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    to_rgb=True,
)
data_root = 'data/imagenet'
# A config adds its pipeline; to count labels none is needed.
train_dataset = dict(
    type='mmpaco.ImageNetLT', data_root=data_root, split='train'
)
test_pipeline = [
    dict(type='LoadImageFromFile'),
    *_base_.test_view,
    dict(type='PackInputs'),
]

# 4 GPUs x 32 images.
train_dataloader = dict(
    batch_size=32,
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=train_dataset,
)
val_dataloader = dict(
    batch_size=64,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmpaco.ImageNetLT',
        data_root=data_root,
        split='val',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = dict(
    batch_size=64,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmpaco.ImageNetLT',
        data_root=data_root,
        split='test',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
val_evaluator = dict(type='mmpaco.ShotAccuracy', train_dataset=train_dataset)
test_evaluator = val_evaluator
