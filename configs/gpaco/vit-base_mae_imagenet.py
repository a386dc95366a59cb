_base_ = [
    '../_base_/runtime_last.py',
    '../_base_/models/vit-base_mae.py',
    '../_base_/datasets/imagenet_bicubic.py',
    '../_base_/schedules/mae_100e.py',
    '../_base_/methods/gpaco_vit.py',
    '../_base_/pipelines/two_views/randaug-stack_n12-m10_sim.py',
]

data_preprocessor = _base_.method.data_preprocessor
model = _base_.method.model
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
