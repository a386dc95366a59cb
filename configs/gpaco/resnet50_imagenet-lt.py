_base_ = [
    '../_base_/runtime_best.py',
    '../_base_/models/resnet50.py',
    '../_base_/datasets/imagenet-lt.py',
    '../_base_/schedules/sgd_400e.py',
    '../_base_/methods/gpaco.py',
    '../_base_/pipelines/two_views/randaug_randaug-stack_n2-m10.py',
]

data_preprocessor = _base_.method.data_preprocessor
model = _base_.method.model
# 0.05 in the paper.
model.head.loss.alpha = 0.045
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
optim_wrapper = dict(optimizer=dict(lr=0.04))
