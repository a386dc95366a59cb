_base_ = [
    '../_base_/runtime_best.py',
    '../_base_/models/resnet152_places-lt.py',
    '../_base_/datasets/places-lt.py',
    '../_base_/schedules/sgd_90e.py',
    '../_base_/pipelines/jitter_224.py',
]

# ResNet-152 of ImageNet without its last block, frozen with its statistics; a
# new block takes the place of that one.
model = dict(backbone=dict(frozen_norm=True, fresh_blocks=True))
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
auto_scale_lr = dict(base_batch_size=256)
