# What ResLT puts on a classifier of mmpretrain, as for CIFAR-100-LT (100). A
# config with this base has
#   model = _base_.method.model
method = dict(
    model=dict(
        # The branches take the map.
        neck=None,
        head=dict(
            type='mmpaco.ResLTHead',
            branch='norm',
            loss=dict(
                _delete_=True,
                type='mmpaco.ResLTLoss',
                num_classes=100,
                beta=0.995,
                # Of each branch, the rarest classes: 0 to 99, 35 to 99 and 70
                # to 99, at every factor.
                groups=[100, 65, 30],
            ),
        ),
    )
)
custom_hooks = [dict(type='mmpaco.ClassPriorHook')]
