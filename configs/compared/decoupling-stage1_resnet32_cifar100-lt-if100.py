# Decoupling has no config for CIFAR: these are the settings of its LWS in the
# release of De-confound-TDE, on a ResNet-32 of the usual width.
_base_ = [
    '../_base_/runtime_last.py',
    '../_base_/models/cifar-resnet32.py',
    '../_base_/datasets/cifar100-lt.py',
    '../_base_/schedules/sgd_90e.py',
    '../_base_/pipelines/cifar_crop-flip.py',
]

train_dataloader = dict(
    batch_size=512,
    dataset=dict(pipeline=[*_base_.crop_flip, dict(type='PackInputs')]),
)
optim_wrapper = dict(optimizer=dict(weight_decay=1e-4))
train_cfg = dict(val_interval=10)
