_base_ = [
    '../_base_/runtime_best.py',
    '../_base_/models/resnet50.py',
    '../_base_/datasets/imagenet-lt.py',
    '../_base_/schedules/sgd_400e.py',
    '../_base_/methods/paco.py',
    '../_base_/pipelines/two_views/randaug_n2-m10_sim.py',
]

data_preprocessor = _base_.method.data_preprocessor
model = _base_.method.model
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
