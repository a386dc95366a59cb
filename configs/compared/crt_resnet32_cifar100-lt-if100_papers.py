# The setting of the papers, whose cross-entropy is the first stage. Rate over
# batch are those of Decoupling on ImageNet-LT: it has no config for CIFAR.
_base_ = [
    '../baselines/cross-entropy_resnet32_cifar100-lt-if100.py',
    '../_base_/methods/crt.py',
]

# The environment variable STAGE1 names the checkpoint of stage 1, if it is not
# where tools/train.py leaves it.
stage1 = '{{$STAGE1:work_dirs/cross-entropy_resnet32_cifar100-lt-if100/epoch_400.pth}}'  # noqa: E501

model = _base_.method.model
model.pretrained = stage1
train_dataloader = dict(sampler=_base_.method.sampler)
param_scheduler = [dict(type='CosineAnnealingLR', T_max=10, begin=0, end=10)]
train_cfg = dict(max_epochs=10)
