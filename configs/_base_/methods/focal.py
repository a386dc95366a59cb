# What a focal loss of sigmoids puts on a classifier of mmpretrain, with the
# weights of classes (CB-Focal), or without at beta=0 (Focal). A config with
# this base has
#   model = _base_.method.model
#   optim_wrapper = _base_.method.optim_wrapper
# The bias of the classifier begins at -log(C - 1), and does not decay.
method = dict(
    model=dict(
        head=dict(
            init_cfg=dict(
                type='Normal', layer='Linear', std=0.01, bias=-4.59512
            ),
            loss=dict(
                _delete_=True,
                type='mmpaco.ClassBalancedLoss',
                num_classes=100,
                kind='sigmoid_focal',
                beta=0.9999,
                gamma=1.0,
            ),
        )
    ),
    optim_wrapper=dict(
        paramwise_cfg=dict(custom_keys={'head.fc.bias': dict(decay_mult=0.0)})
    ),
)
custom_hooks = [dict(type='mmpaco.ClassPriorHook')]
