# As released, but for what is kept: there the epoch that is best on the test
# set, here the last.
_base_ = [
    '../_base_/runtime_last.py',
    '../_base_/models/cifar-resnet32.py',
    '../_base_/datasets/cifar100-lt.py',
    '../_base_/schedules/cifar_200e.py',
    '../_base_/pipelines/cifar_crop-flip-rotate.py',
    '../_base_/methods/ride.py',
]

model = _base_.method.model
model.backbone.update(type='mmpaco.MultiExpertCIFARResNet', widths=(24, 48))
model.head.update(num_classes=100, in_channels=48)
model.head.loss.update(num_classes=100, diversity=-0.45, spread=0.05)
train_dataloader = dict(
    drop_last=False,
    dataset=dict(pipeline=[*_base_.crop_flip_rotate, dict(type='PackInputs')]),
)
# The paper says 2e-4.
optim_wrapper = dict(optimizer=dict(weight_decay=5e-4, nesterov=True))
custom_hooks = [
    dict(type='mmpaco.ClassPriorHook'),
    dict(type='mmpaco.DeferredReweightingHook', epoch=160),
]
