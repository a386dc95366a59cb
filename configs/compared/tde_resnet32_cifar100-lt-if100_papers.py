# In the papers' setting: their epochs, augmentation, batch, rate and decay,
# and their network of 64 features, since the method is a classifier alone. The
# release has the network of BBN.
_base_ = [
    '../baselines/cross-entropy_resnet32_cifar100-lt-if100.py',
    '../_base_/methods/tde.py',
]

model = _base_.method.model
