# The frozen convolutions are those of the release; no paper names them.
_base_ = [
    '../_base_/runtime_best.py',
    '../_base_/models/resnet152_places-lt.py',
    '../_base_/datasets/places-lt.py',
    '../_base_/schedules/sgd_30e.py',
    '../_base_/methods/paco.py',
    '../_base_/pipelines/two_views/sim_sim.py',
]

data_preprocessor = _base_.method.data_preprocessor
model = _base_.method.model
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
# Half precision, as released. It needs a GPU: on a CPU give
# --cfg-options optim_wrapper.type=OptimWrapper
optim_wrapper = dict(type='AmpOptimWrapper')
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='mmpaco.FrozenWeightsHook'),
]
