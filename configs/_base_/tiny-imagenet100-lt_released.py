# What the systems that the papers compare with share on Tiny-ImageNet. Their
# network, images, views and 100 epochs are those of the papers' methods there;
# rates and decay are those of LDAM-DRW's release.
_base_ = [
    './default_runtime_mmpretrain.py',
    './models/resnet14-w16.py',
    './datasets/tiny-imagenet100-lt.py',
    './schedules/cifar_200e.py',
]

# What the methods replace.
model = dict(head=dict(loss=dict(type='CrossEntropyLoss')))
# Rates fall at the same share of the epochs, and rise over as many.
param_scheduler = [
    dict(type='LinearLR', start_factor=0.2, begin=0, end=5),
    dict(type='MultiStepLR', milestones=[80, 90], gamma=0.01),
]
train_cfg = dict(max_epochs=100, val_interval=20)
default_hooks = dict(
    logger=dict(interval=76), checkpoint=dict(interval=5, max_keep_ckpts=2)
)
