# The frozen convolutions are those of the release; no paper names them.
_base_ = [
    '../_base_/runtime_best.py',
    '../_base_/models/resnet152_places-lt.py',
    '../_base_/datasets/places-lt.py',
    '../_base_/schedules/sgd_30e.py',
    '../_base_/pipelines/sim_224.py',
]

data_preprocessor = dict(type='mmpaco.MultiViewDataPreprocessor')
model = dict(
    type='mmpaco.PaCoClassifier',
    momentum=0.999,
    head=dict(
        type='mmpaco.GPaCoHead',
        loss=dict(
            _delete_=True,
            type='mmpaco.PaCoLoss',
            alpha=0.05,
            temperature=0.2,
        ),
        projector=dict(num_layers=2, norm_cfg=dict(type='BN1d')),
    ),
)
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='MultiView', num_views=2, transforms=[_base_.sim]),
            dict(type='PackInputs'),
        ]
    )
)
custom_hooks = [
    dict(type='mmpaco.ClassPriorHook'),
    dict(type='mmpaco.PaCoQueueHook'),
]
# Half precision, as released. It needs a GPU: on a CPU give
# --cfg-options optim_wrapper.type=OptimWrapper
optim_wrapper = dict(type='AmpOptimWrapper')
