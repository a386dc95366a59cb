_base_ = [
    '../baselines/cross-entropy_lenet5_mnist5k-lt.py',
    '../_base_/methods/gpaco.py',
]

data_preprocessor = _base_.method.data_preprocessor
model = dict(
    head=dict(
        type='mmpaco.GPaCoHead',
        loss=dict(type='mmpaco.PaCoLoss', alpha=0.01, temperature=0.07),
        # With ten classes the two views hold 52 positives of the head class
        # already: alpha x K is 0.5, as in CIFAR-100-LT. A queue of 8192
        # would bring it to 33.
        queue_length=0,
        # The papers' projector has no norm. Untrained, it makes all
        # embeddings nearly parallel (mean cosine 0.98), which 1,600
        # iterations do not make up for.
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
