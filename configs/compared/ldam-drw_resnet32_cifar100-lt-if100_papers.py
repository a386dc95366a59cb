# In the papers' setting: their epochs, augmentation, batch, rate and decay.
_base_ = [
    '../baselines/cross-entropy_resnet32_cifar100-lt-if100.py',
    '../_base_/methods/ldam-drw.py',
]

model = _base_.method.model
custom_hooks = [
    dict(type='mmpaco.ClassPriorHook'),
    # The last fifth, as of 200 epochs in the release.
    dict(type='mmpaco.DeferredReweightingHook', epoch=320),
]
