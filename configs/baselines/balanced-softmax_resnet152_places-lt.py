# 30 epochs without RandAugment, as the papers say; the rest is that of PaCo.
_base_ = './cross-entropy_resnet152_places-lt.py'

model = dict(
    head=dict(loss=dict(type='mmpaco.BalancedSoftmaxLoss', num_classes=365))
)
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='mmpaco.ClassPriorHook'),
]
