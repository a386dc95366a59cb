_base_ = './cross-entropy_resnet14-w16_tiny-imagenet100-lt.py'

# A linear classifier on the frozen backbone of stage 1, whose checkpoint the
# environment variable STAGE1 names.
model = dict(
    pretrained='{{$STAGE1:work_dirs/supcon-stage1/epoch_100.pth}}',
    backbone=dict(frozen_stages=3),
)

# Only the classifier trains: 20 epochs are enough.
param_scheduler = [
    dict(
        type='CosineAnnealingLR',
        T_max=20,
        by_epoch=True,
        begin=0,
        end=20,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=20, val_interval=5)
