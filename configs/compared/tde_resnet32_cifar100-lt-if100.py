# As released, with the network of BBN, but for two things: there each run
# draws other images, and keeps the epoch that is best on the test set.
_base_ = [
    '../_base_/runtime_last.py',
    '../_base_/models/cifar-resnet32.py',
    '../_base_/models/cifar-two-branches.py',
    '../_base_/datasets/cifar100-lt.py',
    '../_base_/schedules/cifar_200e.py',
    '../_base_/pipelines/cifar_crop-flip.py',
    '../_base_/methods/tde.py',
]

model = _base_.method.model
model.backbone = _base_.two_branches
model.head.in_channels = 128
train_dataloader = dict(
    batch_size=256,
    dataset=dict(pipeline=[*_base_.crop_flip, dict(type='PackInputs')]),
)
optim_wrapper = dict(optimizer=dict(lr=0.2, weight_decay=5e-4))
# In epoch e, counted from 0: lr (1 + 2 (e + 1) / 5) / 3 up to epoch 4.
param_scheduler = [
    dict(type='LinearLR', start_factor=1.4 / 3, begin=0, end=5),
    dict(type='MultiStepLR', milestones=[119, 159], gamma=0.01),
]
auto_scale_lr = dict(base_batch_size=256)
