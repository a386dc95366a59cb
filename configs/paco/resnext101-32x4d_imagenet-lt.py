_base_ = [
    '../_base_/runtime_best.py',
    '../_base_/models/resnext101-32x4d.py',
    '../_base_/datasets/imagenet-lt.py',
    '../_base_/schedules/sgd_400e.py',
    '../_base_/methods/paco.py',
    '../_base_/pipelines/two_views/randaug-stack_n3-m10_sim.py',
]

data_preprocessor = _base_.method.data_preprocessor
model = _base_.method.model
# Stacked RandAugment in view 1 as released; RandAugment in the paper.
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
# 0.02 in the paper.
optim_wrapper = dict(optimizer=dict(lr=0.03))
