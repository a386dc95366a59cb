_base_ = [
    '../_base_/runtime_best.py',
    '../_base_/models/resnext50-32x4d.py',
    '../_base_/datasets/imagenet-lt.py',
    '../_base_/schedules/sgd_400e.py',
    '../_base_/methods/gpaco.py',
    '../_base_/pipelines/two_views/randaug_randaug-stack_n3-m10.py',
]

data_preprocessor = _base_.method.data_preprocessor
model = _base_.method.model
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
# 0.04 in the paper.
optim_wrapper = dict(optimizer=dict(lr=0.06))
