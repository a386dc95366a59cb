# As released for CIFAR-100-LT, in half the epochs.
_base_ = '../_base_/tiny-imagenet100-lt_released.py'

# Mixup mixes one view of an image with one of another, so the views are
# images of their own here: 76 iterations of 256 an epoch, as elsewhere.
data_preprocessor = dict(
    type='ClsDataPreprocessor',
    batch_augments=dict(augments=dict(type='Mixup', alpha=1.0)),
)
train_dataloader = dict(
    batch_size=256,
    dataset=dict(_delete_=True, type='RepeatDataset', times=2),
)
train_dataloader['dataset']['dataset'] = dict(
    _base_.train_dataset,
    pipeline=[
        dict(type='LoadImageFromFile'),
        *_base_.view,
        dict(type='PackInputs'),
    ],
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.2, begin=0, end=5),
    dict(type='MultiStepLR', milestones=[80, 90], gamma=0.1),
]
custom_hooks = [dict(type='mmpaco.ChannelsLastHook')]
auto_scale_lr = dict(base_batch_size=256)
