_base_ = [
    './mislas-stage1_resnet152_places-lt.py',
    '../_base_/methods/mislas-stage2.py',
]

# The environment variable STAGE1 names the checkpoint of stage 1, if it is not
# where tools/train.py leaves it.
stage1 = '{{$STAGE1:work_dirs/mislas-stage1_resnet152_places-lt/epoch_90.pth}}'

model = _base_.method.model
model.pretrained = stage1
# Trunk and last block are in the checkpoint.
model.backbone = dict(init_cfg=None)
model.head.loss.update(num_classes=365, head=0.4, tail=0.1)
data_preprocessor = dict(batch_augments=None)
train_dataloader = dict(
    # 1 GPU x 256 images.
    batch_size=256,
    sampler=_base_.method.sampler,
)
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys={'head.fc': dict(lr_mult=0.05)}),
)
param_scheduler = [dict(type='CosineAnnealingLR', T_max=10, begin=0, end=10)]
train_cfg = dict(max_epochs=10)
