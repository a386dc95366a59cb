# As released, where the re-weighting of the contrast is 1 by a slip.
# The release has no script for ResNet-50: all else is that of GPaCo.
_base_ = '../gpaco/resnet50_imagenet-lt.py'

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
