# As released, where the re-weighting of the contrast is 1 by a slip.
_base_ = '../gpaco/resnext101-32x4d_imagenet-lt.py'

model = dict(
    head=dict(
        loss=dict(
            _delete_=True,
            type='mmpaco.MultiTaskLoss',
            supcon_weight=0.5,
            temperature=0.2,
        )
    )
)
