# As released for CIFAR-100-LT, in half the epochs: three experts whose last
# two stages have three fourths of the channels.
_base_ = [
    '../_base_/tiny-imagenet100-lt_released.py',
    '../_base_/methods/ride.py',
]

model = _base_.method.model
model.backbone.update(type='mmpaco.MultiExpertResNetCIFAR', widths=(24, 48))
model.head.update(num_classes=100, in_channels=48)
model.head.loss.update(num_classes=100, diversity=-0.45, spread=0.05)
optim_wrapper = dict(optimizer=dict(weight_decay=5e-4, nesterov=True))
custom_hooks = [
    dict(type='mmpaco.ChannelsLastHook'),
    dict(type='mmpaco.ClassPriorHook'),
    # The last fifth.
    dict(type='mmpaco.DeferredReweightingHook', epoch=80),
]
