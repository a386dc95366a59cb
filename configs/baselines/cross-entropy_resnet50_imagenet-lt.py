# Batch, rate and decay of PaCo. The supplement says 400 epochs without
# RandAugment, so the view is the papers' other one.
_base_ = [
    '../_base_/runtime_best.py',
    '../_base_/models/resnet50.py',
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
