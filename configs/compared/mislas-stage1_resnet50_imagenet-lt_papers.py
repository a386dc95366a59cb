# The setting of the papers: 400 epochs with RandAugment.
_base_ = './decoupling-stage1_resnet50_imagenet-lt_papers.py'

data_preprocessor = dict(
    batch_augments=dict(augments=dict(type='Mixup', alpha=0.2))
)
