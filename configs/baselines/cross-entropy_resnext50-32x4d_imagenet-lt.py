# Settings of ResNet-50, 400 epochs without RandAugment. The papers' 44.4 is
# not marked as one of 400 epochs, and its setting is not told.
_base_ = [
    '../_base_/runtime_best.py',
    '../_base_/models/resnext50-32x4d.py',
    '../_base_/datasets/imagenet-lt.py',
    '../_base_/schedules/sgd_400e.py',
    '../_base_/pipelines/sim_224.py',
]

train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadImageFromFile'),
            *_base_.sim,
            dict(type='PackInputs'),
        ]
    )
)
