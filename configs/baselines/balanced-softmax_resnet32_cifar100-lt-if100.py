# Cutout and AutoAugment, as the papers say; batch, rate and decay of PaCo.
_base_ = './cross-entropy_resnet32_cifar100-lt-if100.py'

model = dict(
    head=dict(loss=dict(type='mmpaco.BalancedSoftmaxLoss', num_classes=100))
)
custom_hooks = [dict(type='mmpaco.ClassPriorHook')]
