# Cross-entropy with Mixup. The release's README finds a decay of 5e-4 better
# than that of its config, which is here.
_base_ = [
    '../_base_/runtime_last.py',
    '../_base_/models/cifar-resnet32.py',
    '../_base_/datasets/cifar100-lt.py',
    '../_base_/schedules/cifar_200e.py',
    '../_base_/pipelines/cifar_crop-flip.py',
]

data_preprocessor = dict(
    batch_augments=dict(augments=dict(type='Mixup', alpha=1.0))
)
train_dataloader = dict(
    dataset=dict(pipeline=[*_base_.crop_flip, dict(type='PackInputs')])
)
# By 10 at each step, and not by 100 as LDAM-DRW.
param_scheduler = [
    dict(type='LinearLR', start_factor=0.2, begin=0, end=5),
    dict(type='MultiStepLR', milestones=[160, 180], gamma=0.1),
]
