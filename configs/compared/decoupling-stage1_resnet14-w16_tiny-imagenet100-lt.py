# As released for ImageNet-LT, with its rate for a batch of 512.
_base_ = '../_base_/tiny-imagenet100-lt_released.py'

optim_wrapper = dict(optimizer=dict(lr=0.05, weight_decay=5e-4))
param_scheduler = [dict(type='CosineAnnealingLR', T_max=100, begin=0, end=100)]
custom_hooks = [dict(type='mmpaco.ChannelsLastHook')]
