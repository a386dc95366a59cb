_base_ = './cross-entropy_lenet5_fashion-mnist-lt.py'

model = dict(
    head=dict(loss=dict(type='mmpaco.BalancedSoftmaxLoss', num_classes=10))
)
custom_hooks = [dict(type='mmpaco.ClassPriorHook')]
