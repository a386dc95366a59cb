# ImageNet, in the folders of docs/datasets.md#imagenet-lt. What validates is
# what the papers report, so it chooses nothing here.
_base_ = '../pipelines/test_224.py'

data_preprocessor = dict(
    num_classes=1000,
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    to_rgb=True,
)
data_root = 'data/imagenet'
test_pipeline = [
    dict(type='LoadImageFromFile'),
    *_base_.test_view,
    dict(type='PackInputs'),
]

# 4 or 8 GPUs x 64 images. A config adds the pipeline.
train_dataloader = dict(
    batch_size=64,
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='ImageNet', data_root=data_root, split='train'),
)
val_dataloader = dict(
    batch_size=64,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ImageNet',
        data_root=data_root,
        split='val',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='Accuracy', topk=(1, 5))
test_evaluator = val_evaluator
