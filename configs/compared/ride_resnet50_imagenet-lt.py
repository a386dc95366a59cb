# As released, but for what is kept: there the last epoch, here the best on the
# list to validate, as of all systems.
_base_ = [
    '../_base_/runtime_best.py',
    '../_base_/models/resnet50.py',
    '../_base_/datasets/imagenet-lt.py',
    '../_base_/schedules/sgd_100e_nesterov.py',
    '../_base_/pipelines/jitter_224.py',
    '../_base_/methods/ride.py',
]

model = _base_.method.model
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
