# 30 epochs without RandAugment, as the papers say of their table; all else is
# that of PaCo, also the frozen convolutions. The setting of the figure itself
# is not told.
_base_ = [
    '../_base_/runtime_best.py',
    '../_base_/models/resnet152_places-lt.py',
    '../_base_/datasets/places-lt.py',
    '../_base_/schedules/sgd_30e.py',
    '../_base_/pipelines/sim_224.py',
]

train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadImageFromFile'),
            *_base_.sim,
            dict(type='PackInputs'),
        ]
    )
)
# Half precision, as PaCo is released. It needs a GPU: on a CPU give
# --cfg-options optim_wrapper.type=OptimWrapper
optim_wrapper = dict(type='AmpOptimWrapper')
custom_hooks = [dict(type='mmpaco.FrozenWeightsHook')]
