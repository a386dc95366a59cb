# As released, but for what is kept: there the epoch that is best on the test
# set, here the last.
_base_ = [
    '../_base_/runtime_last.py',
    '../_base_/models/cifar-resnet32.py',
    '../_base_/datasets/cifar100-lt.py',
    '../_base_/schedules/cifar_200e.py',
    '../_base_/pipelines/cifar_crop-flip.py',
    '../_base_/methods/reslt.py',
]

model = _base_.method.model
train_dataloader = dict(
    dataset=dict(pipeline=[*_base_.crop_flip, dict(type='PackInputs')])
)
optim_wrapper = dict(optimizer=dict(weight_decay=5e-4, nesterov=True))
# In epoch e, counted from 0: lr (1 + 2 (e + 1) / 5) / 3 up to epoch 4.
param_scheduler = [
    dict(type='LinearLR', start_factor=1.4 / 3, begin=0, end=5),
    dict(type='MultiStepLR', milestones=[160, 180], gamma=0.1),
]
