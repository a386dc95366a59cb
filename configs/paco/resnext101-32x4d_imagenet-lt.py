_base_ = [
    '../_base_/runtime_best.py',
    '../_base_/models/resnext101-32x4d.py',
    '../_base_/datasets/imagenet-lt.py',
    '../_base_/schedules/sgd_400e.py',
    '../_base_/pipelines/randaug-stack_n3-m10_224.py',
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
    # Stacked RandAugment in view 1 as released; RandAugment in the paper.
    dataset=dict(
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(
                type='MultiView',
                num_views=[1, 1],
                transforms=[_base_.randaug_stack, _base_.sim],
            ),
            dict(type='PackInputs'),
        ]
    )
)
custom_hooks = [
    dict(type='mmpaco.ClassPriorHook'),
    dict(type='mmpaco.PaCoQueueHook'),
]
# 0.02 in the paper.
optim_wrapper = dict(optimizer=dict(lr=0.03))
