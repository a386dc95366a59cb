_base_ = './mislas-stage1_resnet50_imagenet-lt.py'

# The environment variable STAGE1 names the checkpoint of stage 1, if it is not
# where tools/train.py leaves it.
stage1 = (
    '{{$STAGE1:work_dirs/mislas-stage1_resnet50_imagenet-lt/epoch_180.pth}}'  # noqa: E501
)

# The classifier goes on, with a scale for the score of each class. The network
# is frozen, but its batch norm goes on moving.
model = dict(
    type='mmpaco.LinearProbeClassifier',
    pretrained=stage1,
    moving_statistics=True,
    head=dict(
        type='mmpaco.ScaledClsHead',
        train_fc=True,
        loss=dict(
            _delete_=True,
            type='mmpaco.LabelAwareSmoothLoss',
            num_classes=1000,
            head=0.3,
            tail=0.0,
        ),
    ),
)
data_preprocessor = dict(batch_augments=None)
custom_hooks = [dict(type='mmpaco.ClassPriorHook')]
train_dataloader = dict(
    # 1 GPU x 256 images.
    batch_size=256,
    sampler=dict(
        _delete_=True, type='mmpaco.ClassPowerSampler', power=0, in_a_row=4
    ),
)
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys={'head.fc': dict(lr_mult=0.05)}),
)
param_scheduler = [dict(type='CosineAnnealingLR', T_max=10, begin=0, end=10)]
train_cfg = dict(max_epochs=10)
