# As released, where the re-weighting of the contrast is 1 by a slip.
# Cutout and AutoAugment for both views, as in its code.
_base_ = '../gpaco/resnet32_cifar100-lt-if100.py'

model = dict(
    head=dict(
        loss=dict(
            _delete_=True,
            type='mmpaco.MultiTaskLoss',
            supcon_weight=0.5,
            temperature=0.07,
        )
    )
)
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(
                type='MultiView',
                num_views=2,
                transforms=[_base_.autoaug_cutout],
            ),
            dict(type='PackInputs'),
        ]
    )
)
