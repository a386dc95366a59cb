# The setting of the papers. The rate over the batch is that of the release.
_base_ = './decoupling-stage1_resnet50_imagenet-lt_papers.py'

# The environment variable STAGE1 names the checkpoint of stage 1, if it is not
# where tools/train.py leaves it.
stage1 = '{{$STAGE1:work_dirs/decoupling-stage1_resnet50_imagenet-lt_papers/epoch_400.pth}}'  # noqa: E501

# A new classifier. The network is frozen, but its batch norm goes on moving.
model = dict(
    type='mmpaco.LinearProbeClassifier',
    pretrained=stage1,
    moving_statistics=True,
    fresh_head=True,
)
train_dataloader = dict(
    sampler=dict(
        _delete_=True, type='mmpaco.ClassPowerSampler', power=0, in_a_row=4
    ),
)
param_scheduler = [dict(type='CosineAnnealingLR', T_max=10, begin=0, end=10)]
train_cfg = dict(max_epochs=10)
optim_wrapper = dict(optimizer=dict(lr=0.05))
