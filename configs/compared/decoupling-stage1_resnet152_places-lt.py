# The release has no config for this stage. Its authors name 30 or 90 epochs,
# cosine, and all frozen but the last block; batch and rate are those of the
# second stage, and of batch norm all is trained, as in PaCo.
_base_ = [
    '../_base_/runtime_best.py',
    '../_base_/models/resnet152_places-lt.py',
    '../_base_/datasets/places-lt.py',
    '../_base_/schedules/sgd_90e.py',
    '../_base_/pipelines/jitter_224.py',
]

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
param_scheduler = [dict(type='CosineAnnealingLR', T_max=30, begin=0, end=30)]
train_cfg = dict(max_epochs=30)
auto_scale_lr = dict(base_batch_size=256)
