# As released, but for what is kept: there the epoch that is best on the test
# set, here the last.
_base_ = [
    '../_base_/runtime_last.py',
    '../_base_/models/cifar-resnet32.py',
    '../_base_/datasets/cifar100-lt.py',
    '../_base_/schedules/cifar_200e.py',
    '../_base_/pipelines/cifar_crop-flip.py',
    '../_base_/methods/ldam-drw.py',
]

model = _base_.method.model
train_dataloader = dict(
    drop_last=False,
    dataset=dict(pipeline=[*_base_.crop_flip, dict(type='PackInputs')]),
)
