# As released for ImageNet-LT, with its rate for a batch of 512.
_base_ = [
    './decoupling-stage1_resnet14-w16_tiny-imagenet100-lt.py',
    '../_base_/methods/crt.py',
]

# The environment variable STAGE1 names the checkpoint of stage 1, if it is not
# where tools/train.py leaves it.
stage1 = '{{$STAGE1:work_dirs/decoupling-stage1_resnet14-w16_tiny-imagenet100-lt/epoch_100.pth}}'  # noqa: E501

model = _base_.method.model
model.pretrained = stage1
train_dataloader = dict(sampler=_base_.method.sampler)
param_scheduler = [dict(type='CosineAnnealingLR', T_max=10, begin=0, end=10)]
train_cfg = dict(max_epochs=10, val_interval=5)
