_base_ = [
    '../_base_/runtime_last.py',
    '../_base_/models/resnet50.py',
    '../_base_/datasets/inaturalist2018.py',
    '../_base_/schedules/sgd_400e.py',
    '../_base_/pipelines/randaug_n2-m10_224.py',
    '../_base_/pipelines/sim_224.py',
]

data_preprocessor = dict(type='mmpaco.MultiViewDataPreprocessor')
model = dict(
    type='mmpaco.PaCoClassifier',
    head=dict(
        type='mmpaco.GPaCoHead',
        num_classes=8142,
        loss=dict(
            _delete_=True,
            type='mmpaco.PaCoLoss',
            alpha=0.05,
            temperature=0.2,
        ),
    ),
)
train_dataloader = dict(
    # 8 GPUs x 16 images.
    batch_size=16,
    # As released and as in Table 6. The supplement lists the same figure under
    # those without RandAugment.
    dataset=dict(
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(
                type='MultiView',
                num_views=[1, 1],
                transforms=[_base_.randaug, _base_.sim],
            ),
            dict(type='PackInputs'),
        ]
    ),
)
custom_hooks = [
    dict(type='mmpaco.ClassPriorHook'),
    dict(type='mmpaco.PaCoQueueHook'),
]
optim_wrapper = dict(optimizer=dict(lr=0.04, weight_decay=1e-4))
