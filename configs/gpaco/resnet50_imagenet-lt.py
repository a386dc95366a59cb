_base_ = [
    '../_base_/runtime_best.py',
    '../_base_/models/resnet50.py',
    '../_base_/datasets/imagenet-lt.py',
    '../_base_/schedules/sgd_400e.py',
    '../_base_/pipelines/randaug_n2-m10_224.py',
    '../_base_/pipelines/randaug-stack_n2-m10_224.py',
]

data_preprocessor = dict(type='mmpaco.MultiViewDataPreprocessor')
model = dict(
    type='mmpaco.PaCoClassifier',
    head=dict(
        type='mmpaco.GPaCoHead',
        loss=dict(
            _delete_=True,
            type='mmpaco.PaCoLoss',
            # 0.05 in the paper.
            alpha=0.045,
            temperature=0.2,
        ),
    ),
)
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(
                type='MultiView',
                num_views=[1, 1],
                transforms=[_base_.randaug, _base_.randaug_stack],
            ),
            dict(type='PackInputs'),
        ]
    )
)
custom_hooks = [
    dict(type='mmpaco.ClassPriorHook'),
    dict(type='mmpaco.PaCoQueueHook'),
]
optim_wrapper = dict(optimizer=dict(lr=0.04))
