# The first stage in the setting of the papers: 400 epochs with RandAugment.
_base_ = '../baselines/balanced-softmax_resnet50_imagenet-lt.py'

model = dict(
    head=dict(loss=dict(_delete_=True, type='CrossEntropyLoss')),
)
custom_hooks = []
