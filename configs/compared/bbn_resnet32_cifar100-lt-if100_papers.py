# In the papers' setting: their epochs, augmentation, batch, rate and decay.
# The network is that of the release, with its last block twice, and the images
# of rare classes come to those of a batch.
_base_ = [
    '../baselines/cross-entropy_resnet32_cifar100-lt-if100.py',
    '../_base_/methods/bbn.py',
]

data_preprocessor = _base_.method.data_preprocessor
model = _base_.method.model
train_dataloader = _base_.method.train_dataloader
train_dataloader.dataset.dataset = _base_.train_dataloader.dataset
