# As released for CIFAR-100-LT, in half the epochs: the last block is there
# twice. A plain view and one of a rare image are the two of a pair.
_base_ = [
    '../_base_/tiny-imagenet100-lt_released.py',
    '../_base_/methods/bbn.py',
]

model = _base_.method.model
model.backbone.type = 'mmpaco.MultiExpertResNetCIFAR'
train_dataloader = _base_.method.train_dataloader
train_dataloader.dataset.dataset = dict(
    _base_.train_dataset,
    pipeline=[
        dict(type='LoadImageFromFile'),
        *_base_.view,
        dict(type='PackInputs'),
    ],
)
optim_wrapper = dict(optimizer=dict(nesterov=True))
# In epoch e, counted from 0: lr (1 + 2 e / 5) / 3 up to epoch 5.
param_scheduler = [
    dict(type='LinearLR', start_factor=1 / 3, begin=0, end=6),
    dict(type='MultiStepLR', milestones=[60, 80], gamma=0.01),
]
custom_hooks = [
    dict(type='mmpaco.ChannelsLastHook'),
    dict(type='mmpaco.BBNProgressHook'),
]
