# In the papers' setting: their epochs, augmentation, batch, rate and decay.
_base_ = [
    '../baselines/cross-entropy_resnet32_cifar100-lt-if100.py',
    '../_base_/methods/reslt.py',
]

model = _base_.method.model
