# As released: the constants of ImageNet, and branches that are mixed as if
# there were 200 epochs. The list to validate, which the papers report, chooses
# nothing.
_base_ = [
    '../_base_/runtime_last.py',
    '../_base_/models/resnet50.py',
    '../_base_/datasets/inaturalist2018.py',
    '../_base_/schedules/sgd_180e_nesterov.py',
    '../_base_/pipelines/crop-flip_224.py',
    '../_base_/methods/bbn.py',
]

data_preprocessor = dict(
    _base_.method.data_preprocessor,
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
)
model = _base_.method.model
model.backbone.type = 'mmpaco.MultiExpertResNet'
model.head.update(num_classes=8142, in_channels=4096)
load, pack = [dict(type='LoadImageFromFile')], [dict(type='PackInputs')]
steps = load + _base_.crop_flip + pack
# 4 GPUs x 32 images, and as many of rare classes.
train_dataloader = _base_.method.train_dataloader
train_dataloader.dataset.dataset = dict(_base_.train_dataset, pipeline=steps)
custom_hooks = [dict(type='mmpaco.BBNProgressHook', epochs=200)]
