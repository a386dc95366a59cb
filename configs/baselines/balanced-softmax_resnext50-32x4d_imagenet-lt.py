# 400 epochs with RandAugment, as the papers say; batch, rate and decay are
# those of PaCo in the paper, and RandAugment is that of ResNet-50.
_base_ = [
    '../_base_/runtime_best.py',
    '../_base_/models/resnext50-32x4d.py',
    '../_base_/datasets/imagenet-lt.py',
    '../_base_/schedules/sgd_400e.py',
    '../_base_/pipelines/randaug_n2-m10_224.py',
]

model = dict(
    head=dict(loss=dict(type='mmpaco.BalancedSoftmaxLoss', num_classes=1000))
)
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadImageFromFile'),
            *_base_.randaug,
            dict(type='PackInputs'),
        ]
    )
)
custom_hooks = [dict(type='mmpaco.ClassPriorHook')]
