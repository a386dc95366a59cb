# As released for CIFAR-100-LT, in half the epochs and with its rate for a
# batch of 256, on the plain network.
_base_ = [
    '../_base_/tiny-imagenet100-lt_released.py',
    '../_base_/methods/tde.py',
]

model = _base_.method.model
optim_wrapper = dict(optimizer=dict(weight_decay=5e-4))
# In epoch e, counted from 0: lr (1 + 2 (e + 1) / 5) / 3 up to epoch 4.
param_scheduler = [
    dict(type='LinearLR', start_factor=1.4 / 3, begin=0, end=5),
    dict(type='MultiStepLR', milestones=[59, 79], gamma=0.01),
]
custom_hooks = [
    dict(type='mmpaco.ChannelsLastHook'),
    dict(type='mmpaco.CausalNormHook'),
]
