# In the papers' setting: 400 epochs with RandAugment; batch, rate and decay
# are those of PaCo. The factors of the loss are the release's, whose class
# weights are for the last fifth: the papers do not tell theirs.
_base_ = [
    './decoupling-stage1_resnet50_imagenet-lt_papers.py',
    '../_base_/methods/ride.py',
]

model = _base_.method.model
custom_hooks = [
    dict(type='mmpaco.ClassPriorHook'),
    dict(type='mmpaco.DeferredReweightingHook', epoch=320),
]
