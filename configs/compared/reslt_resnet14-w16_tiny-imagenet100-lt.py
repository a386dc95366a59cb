# As released for CIFAR-100-LT, in half the epochs.
_base_ = [
    '../_base_/tiny-imagenet100-lt_released.py',
    '../_base_/methods/reslt.py',
]

model = _base_.method.model
optim_wrapper = dict(optimizer=dict(weight_decay=5e-4, nesterov=True))
# In epoch e, counted from 0: lr (1 + 2 (e + 1) / 5) / 3 up to epoch 4.
param_scheduler = [
    dict(type='LinearLR', start_factor=1.4 / 3, begin=0, end=5),
    dict(type='MultiStepLR', milestones=[80, 90], gamma=0.1),
]
custom_hooks = [
    dict(type='mmpaco.ChannelsLastHook'),
    dict(type='mmpaco.ClassPriorHook'),
]
