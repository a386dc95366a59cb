# What LDAM-DRW puts on a classifier of mmpretrain. A config with this base has
#   model = _base_.method.model
# and lists the hooks anew if it has another number of epochs than 200: class
# weights are for the last fifth.
method = dict(
    model=dict(
        head=dict(
            type='mmpaco.CosineClsHead',
            scale=30.0,
            loss=dict(
                _delete_=True,
                type='mmpaco.LDAMLoss',
                num_classes=100,
                max_margin=0.5,
                scale=30.0,
                beta=0.9999,
            ),
        )
    )
)
custom_hooks = [
    dict(type='mmpaco.ClassPriorHook'),
    dict(type='mmpaco.DeferredReweightingHook', epoch=160),
]
