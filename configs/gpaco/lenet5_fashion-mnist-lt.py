_base_ = [
    '../baselines/cross-entropy_lenet5_fashion-mnist-lt.py',
    '../_base_/methods/gpaco.py',
]

data_preprocessor = _base_.method.data_preprocessor
model = dict(
    head=dict(
        type='mmpaco.GPaCoHead',
        loss=dict(type='mmpaco.PaCoLoss', alpha=0.01, temperature=0.07),
        # The two views hold 103 positives of the head class already: alpha x
        # K is 1; most of the papers' runs have 0.3 to 4.6.
        queue_length=0,
        # As for MNIST-5k: the papers' projector has no norm.
        projector=dict(norm_cfg=dict(type='BN1d')),
    )
)

train_dataloader = dict(
    dataset=dict(
        dataset=dict(
            pipeline=[
                dict(type='MultiView', num_views=2, transforms=[_base_.view]),
                dict(type='PackInputs'),
            ]
        )
    )
)
