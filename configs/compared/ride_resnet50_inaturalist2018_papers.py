# In the papers' setting, as on ImageNet-LT.
_base_ = [
    '../baselines/cross-entropy_resnet50_inaturalist2018.py',
    '../_base_/methods/ride.py',
]

model = _base_.method.model
model.head.num_classes = 8142
model.head.loss.update(num_classes=8142, spread=0.015)
custom_hooks = [
    dict(type='mmpaco.ClassPriorHook'),
    dict(type='mmpaco.DeferredReweightingHook', epoch=320),
]
