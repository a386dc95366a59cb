# The setting of the papers. The rate over the batch is that of the release.
_base_ = [
    './decoupling-stage1_resnet50_imagenet-lt_papers.py',
    '../_base_/methods/crt.py',
]

# The environment variable STAGE1 names the checkpoint of stage 1, if it is not
# where tools/train.py leaves it.
stage1 = '{{$STAGE1:work_dirs/decoupling-stage1_resnet50_imagenet-lt_papers/epoch_400.pth}}'  # noqa: E501

model = _base_.method.model
model.pretrained = stage1
train_dataloader = dict(sampler=_base_.method.sampler)
param_scheduler = [dict(type='CosineAnnealingLR', T_max=10, begin=0, end=10)]
train_cfg = dict(max_epochs=10)
optim_wrapper = dict(optimizer=dict(lr=0.05))
