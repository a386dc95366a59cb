# 400 epochs with RandAugment, as the papers say; the rest is that of PaCo.
_base_ = './cross-entropy_resnet50_inaturalist2018.py'

model = dict(
    head=dict(loss=dict(type='mmpaco.BalancedSoftmaxLoss', num_classes=8142))
)
custom_hooks = [dict(type='mmpaco.ClassPriorHook')]
