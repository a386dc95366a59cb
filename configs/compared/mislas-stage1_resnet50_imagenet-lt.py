# Cross-entropy with Mixup. A second stage takes the last epoch.
_base_ = [
    '../_base_/runtime_best.py',
    '../_base_/models/resnet50.py',
    '../_base_/datasets/imagenet-lt.py',
    '../_base_/schedules/sgd_90e.py',
    '../_base_/pipelines/jitter_224.py',
]

data_preprocessor = dict(
    batch_augments=dict(augments=dict(type='Mixup', alpha=0.2))
)
# 4 GPUs x 64 images.
train_dataloader = dict(
    batch_size=64,
    dataset=dict(
        pipeline=[
            dict(type='LoadImageFromFile'),
            *_base_.jitter,
            dict(type='PackInputs'),
        ]
    ),
)
optim_wrapper = dict(optimizer=dict(lr=0.1))
param_scheduler = [dict(type='CosineAnnealingLR', T_max=180, begin=0, end=180)]
train_cfg = dict(max_epochs=180)
auto_scale_lr = dict(base_batch_size=256)
