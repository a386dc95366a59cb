# Not of the papers: what docs/pretrained.md describes.
_base_ = [
    '../_base_/runtime_best.py',
    '../_base_/models/vit-base_any.py',
    '../_base_/datasets/imagenet-lt.py',
    '../_base_/schedules/adamw_10e.py',
    '../_base_/methods/gpaco.py',
    '../_base_/pipelines/two_views/randaug_randaug-stack_n2-m10.py',
]

data_preprocessor = _base_.method.data_preprocessor
model = _base_.method.model
model.head.projector = dict(act_cfg=dict(type='GELU'))
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='mmpaco.FrozenWeightsHook'),
]
