# As released, but for what is kept: there the epoch that is best on the test
# set, here the last. 128 images and 128 of rare classes make a batch.
_base_ = [
    '../_base_/runtime_last.py',
    '../_base_/models/cifar-resnet32.py',
    '../_base_/datasets/cifar100-lt.py',
    '../_base_/schedules/cifar_200e.py',
    '../_base_/pipelines/cifar_crop-flip.py',
    '../_base_/methods/bbn.py',
]

data_preprocessor = _base_.method.data_preprocessor
model = _base_.method.model
steps = [*_base_.crop_flip, dict(type='PackInputs')]
train_dataloader = _base_.method.train_dataloader
train_dataloader.dataset.dataset = dict(_base_.train_dataset, pipeline=steps)
optim_wrapper = dict(optimizer=dict(nesterov=True))
# In epoch e, counted from 0: lr (1 + 2 e / 5) / 3 up to epoch 5.
param_scheduler = [
    dict(type='LinearLR', start_factor=1 / 3, begin=0, end=6),
    dict(type='MultiStepLR', milestones=[120, 160], gamma=0.01),
]
