# The scripts of the release, whose beta and gamma are examples: its paper
# chooses them for each data set. Pixels lie in [-1, 1]. The network is that of
# LDAM-DRW, and not the ResNet-32 of the release, which is in TensorFlow.
_base_ = [
    '../_base_/runtime_last.py',
    '../_base_/models/cifar-resnet32.py',
    '../_base_/datasets/cifar100-lt.py',
    '../_base_/schedules/cifar_200e_warmup.py',
    '../_base_/pipelines/cifar_crop-flip.py',
    '../_base_/methods/focal.py',
]

data_preprocessor = dict(mean=[128.0] * 3, std=[128.0] * 3)
model = _base_.method.model
optim_wrapper = _base_.method.optim_wrapper
train_dataloader = dict(
    drop_last=False,
    dataset=dict(pipeline=[*_base_.crop_flip, dict(type='PackInputs')]),
)
