_base_ = [
    '../_base_/runtime_last.py',
    '../_base_/models/cifar-resnet32.py',
    '../_base_/datasets/cifar100-lt.py',
    '../_base_/schedules/cifar_400e.py',
    '../_base_/pipelines/cifar_autoaug-cutout.py',
    '../_base_/pipelines/cifar_sim.py',
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
            # 0.02 in the paper.
            alpha=0.01,
            temperature=0.05,
        ),
        queue_length=1024,
        projector=dict(
            num_layers=2, norm_cfg=dict(type='BN1d'), out_channels=32
        ),
    ),
)
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(
                type='MultiView',
                num_views=[1, 1],
                transforms=[_base_.autoaug_cutout, _base_.cifar_sim],
            ),
            dict(type='PackInputs'),
        ]
    )
)
custom_hooks = [
    dict(type='mmpaco.ClassPriorHook'),
    dict(type='mmpaco.PaCoQueueHook'),
]
