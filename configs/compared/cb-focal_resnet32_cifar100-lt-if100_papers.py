# In the papers' setting: their epochs, augmentation, batch, rate and decay.
_base_ = [
    '../baselines/cross-entropy_resnet32_cifar100-lt-if100.py',
    '../_base_/methods/focal.py',
]

model = _base_.method.model
optim_wrapper = _base_.method.optim_wrapper
