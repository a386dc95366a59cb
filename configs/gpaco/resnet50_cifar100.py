# Batch 128 and rate 0.05 as released; 256 and 0.1 in the paper. The release
# also has a uniform prior, which both papers leave out.
_base_ = [
    '../_base_/runtime_last.py',
    '../_base_/models/cifar-resnet50.py',
    '../_base_/datasets/cifar100.py',
    '../_base_/schedules/cifar_400e.py',
    '../_base_/pipelines/cifar_sim.py',
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
        class_prior=False,
    ),
)
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='MultiView', num_views=2, transforms=[_base_.cifar_sim]),
            dict(type='PackInputs'),
        ]
    )
)
custom_hooks = [dict(type='mmpaco.PaCoQueueHook')]
