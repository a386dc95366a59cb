_base_ = './decoupling-stage1_resnet32_cifar100-lt-if100.py'

# The environment variable STAGE1 names the checkpoint of stage 1, if it is not
# where tools/train.py leaves it.
stage1 = '{{$STAGE1:work_dirs/decoupling-stage1_resnet32_cifar100-lt-if100/epoch_90.pth}}'  # noqa: E501

# A scale for the score of each class. The network is frozen, but its batch
# norm goes on moving.
model = dict(
    type='mmpaco.LinearProbeClassifier',
    pretrained=stage1,
    moving_statistics=True,
    head=dict(type='mmpaco.ScaledClsHead'),
)
train_dataloader = dict(
    sampler=dict(
        _delete_=True, type='mmpaco.ClassPowerSampler', power=0, in_a_row=4
    ),
)
param_scheduler = [dict(type='CosineAnnealingLR', T_max=5, begin=0, end=5)]
train_cfg = dict(max_epochs=5)
