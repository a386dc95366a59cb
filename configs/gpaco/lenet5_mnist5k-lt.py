_base_ = '../baselines/cross-entropy_lenet5_mnist5k-lt.py'

data_preprocessor = dict(type='mmpaco.MultiViewDataPreprocessor')
model = dict(
    head=dict(
        type='mmpaco.GPaCoHead',
        loss=dict(type='mmpaco.PaCoLoss', alpha=0.01, temperature=0.07),
        # Ten classes: alpha x K of the head class would leave the papers'
        # range with a queue of 8192.
        queue_length=128,
    )
)

train_dataloader = dict(
    dataset=dict(
        dataset=dict(
            pipeline=[
                dict(
                    type='MultiView', num_views=2, transforms=[{{_base_.view}}]
                ),
                dict(type='PackInputs'),
            ]
        )
    )
)
custom_hooks = [
    dict(type='mmpaco.ClassPriorHook'),
    dict(type='mmpaco.PaCoQueueHook'),
]
