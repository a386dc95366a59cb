# What RIDE puts on a ResNet-50 or ResNeXt-50 of mmpretrain. A config with this
# base has
#   model = _base_.method.model
# and lists the hooks anew if it has another number of epochs than 100: class
# weights are for the last fifth. One expert has widths=None, 2048 channels.
method = dict(
    model=dict(
        backbone=dict(
            type='mmpaco.MultiExpertResNet',
            num_experts=3,
            own_stages=2,
            # Three fourths of 256 and 512.
            widths=(192, 384),
        ),
        head=dict(
            type='mmpaco.MultiExpertClsHead',
            in_channels=1536,
            num_experts=3,
            scale=30.0,
            loss=dict(
                _delete_=True,
                type='mmpaco.RIDELoss',
                num_classes=1000,
                max_margin=0.5,
                scale=30.0,
                beta=0.9999,
                diversity=-0.2,
                spread=0.02,
            ),
        ),
    )
)
custom_hooks = [
    dict(type='mmpaco.ClassPriorHook'),
    dict(type='mmpaco.DeferredReweightingHook', epoch=80),
]
