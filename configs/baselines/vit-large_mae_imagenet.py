_base_ = [
    '../_base_/runtime_last.py',
    '../_base_/models/vit-large_mae.py',
    '../_base_/datasets/imagenet_bicubic.py',
    '../_base_/schedules/mae_50e.py',
    '../_base_/pipelines/mae_224.py',
]

# One of the two for each batch.
model = dict(
    train_cfg=dict(
        augments=[
            dict(type='Mixup', alpha=0.8),
            dict(type='CutMix', alpha=1.0),
        ]
    )
)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    *_base_.mae,
    dict(type='PackInputs'),
]
train_dataloader = dict(batch_size=16, dataset=dict(pipeline=train_pipeline))
