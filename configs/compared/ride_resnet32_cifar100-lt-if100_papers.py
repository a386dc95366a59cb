# In the papers' setting: their epochs, augmentation, batch, rate and decay.
# Class weights, as in the release, are for the last fifth.
_base_ = [
    '../baselines/cross-entropy_resnet32_cifar100-lt-if100.py',
    '../_base_/methods/ride.py',
]

model = _base_.method.model
model.backbone.update(type='mmpaco.MultiExpertCIFARResNet', widths=(24, 48))
model.head.update(num_classes=100, in_channels=48)
model.head.loss.update(num_classes=100, diversity=-0.45, spread=0.05)
custom_hooks = [
    dict(type='mmpaco.ClassPriorHook'),
    dict(type='mmpaco.DeferredReweightingHook', epoch=320),
]
