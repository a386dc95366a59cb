# 400 epochs without RandAugment, as the supplement of GPaCo says; all else is
# that of PaCo. The queue hook is all that it needs.
_base_ = [
    '../_base_/runtime_last.py',
    '../_base_/models/resnet50.py',
    '../_base_/datasets/imagenet-lt.py',
    '../_base_/schedules/sgd_400e.py',
    '../_base_/pipelines/sim_224.py',
]

data_preprocessor = dict(type='mmpaco.MultiViewDataPreprocessor')
model = dict(
    type='mmpaco.PaCoClassifier',
    momentum=0.999,
    head=dict(
        type='mmpaco.GPaCoHead',
        loss=dict(_delete_=True, type='mmpaco.SupConLoss', temperature=0.2),
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
custom_hooks = [dict(type='mmpaco.PaCoQueueHook')]

# A classifier that is not trained has nothing to choose by and to test.
val_dataloader = None
val_evaluator = None
val_cfg = None
test_dataloader = None
test_evaluator = None
test_cfg = None
