# As released for CIFAR-100-LT, in half the epochs.
_base_ = [
    '../_base_/tiny-imagenet100-lt_released.py',
    '../_base_/methods/focal.py',
]

model = _base_.method.model
optim_wrapper = _base_.method.optim_wrapper
# From 0, at each iteration.
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-6,
        begin=0,
        end=5,
        convert_to_iter_based=True,
    ),
    _base_.param_scheduler[1],
]
custom_hooks = [
    dict(type='mmpaco.ChannelsLastHook'),
    dict(type='mmpaco.ClassPriorHook'),
]
