# alpha and temperature are the paper's; the release has no script, so all else
# is the default of its code.
_base_ = [
    '../_base_/runtime_last.py',
    '../_base_/models/cifar-resnet32.py',
    '../_base_/datasets/cifar100-lt.py',
    '../_base_/schedules/cifar_400e.py',
    '../_base_/pipelines/cifar_autoaug-cutout.py',
    '../_base_/pipelines/cifar_sim_blur0.2.py',
]

data_preprocessor = dict(type='mmpaco.MultiViewDataPreprocessor')
model = dict(
    type='mmpaco.PaCoClassifier',
    head=dict(
        type='mmpaco.GPaCoHead',
        loss=dict(
            _delete_=True,
            type='mmpaco.PaCoLoss',
            alpha=0.01,
            temperature=0.07,
        ),
        queue_length=1024,
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
