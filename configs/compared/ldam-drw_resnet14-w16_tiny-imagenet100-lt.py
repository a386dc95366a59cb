# As released for CIFAR-100-LT, in half the epochs.
_base_ = [
    '../_base_/tiny-imagenet100-lt_released.py',
    '../_base_/methods/ldam-drw.py',
]

model = _base_.method.model
custom_hooks = [
    dict(type='mmpaco.ChannelsLastHook'),
    dict(type='mmpaco.ClassPriorHook'),
    # The last fifth.
    dict(type='mmpaco.DeferredReweightingHook', epoch=80),
]
