# As released for CIFAR-100-LT.
_base_ = [
    '../_base_/tiny-imagenet100-lt_released.py',
    '../_base_/methods/mislas-stage2.py',
]

# The environment variable STAGE1 names the checkpoint of stage 1, if it is not
# where tools/train.py leaves it.
stage1 = '{{$STAGE1:work_dirs/mislas-stage1_resnet14-w16_tiny-imagenet100-lt/epoch_100.pth}}'  # noqa: E501

model = _base_.method.model
model.pretrained = stage1
model.head.loss.update(head=0.4, tail=0.1)
train_dataloader = dict(sampler=_base_.method.sampler)
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys={'head.fc': dict(lr_mult=0.2)}),
)
param_scheduler = [dict(type='CosineAnnealingLR', T_max=10, begin=0, end=10)]
train_cfg = dict(max_epochs=10, val_interval=5)
custom_hooks = [
    dict(type='mmpaco.ChannelsLastHook'),
    dict(type='mmpaco.ClassPriorHook'),
]
