# What De-confound-TDE puts on a classifier of mmpretrain, as for CIFAR-100-LT.
# A config with this base has
#   model = _base_.method.model
method = dict(
    model=dict(
        head=dict(
            type='mmpaco.CausalNormHead',
            alpha=1.5,
            num_heads=2,
            scale=16.0,
            gamma=1 / 32,
            momentum=0.9,
            loss=dict(_delete_=True, type='CrossEntropyLoss'),
        )
    )
)
custom_hooks = [dict(type='mmpaco.CausalNormHook')]
