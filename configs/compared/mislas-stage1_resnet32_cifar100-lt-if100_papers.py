# The setting of the papers: 400 epochs with AutoAugment and Cutout.
_base_ = '../baselines/cross-entropy_resnet32_cifar100-lt-if100.py'

data_preprocessor = dict(
    batch_augments=dict(augments=dict(type='Mixup', alpha=1.0))
)
