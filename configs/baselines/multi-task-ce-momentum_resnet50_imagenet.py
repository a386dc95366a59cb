# Not in the release. PaCo says a weight of 0.05 and its own augmentation;
# GPaCo, with the same figure, says weights from 0.1 to 1. All else is that of
# PaCo.
_base_ = '../paco/resnet50_imagenet.py'

model = dict(
    head=dict(
        loss=dict(
            _delete_=True,
            type='mmpaco.MultiTaskLoss',
            supcon_weight=0.05,
            temperature=0.2,
            balanced=False,
        )
    )
)
