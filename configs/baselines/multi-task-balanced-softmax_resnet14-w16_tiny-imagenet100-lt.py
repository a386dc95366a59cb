_base_ = '../gpaco/resnet14-w16_tiny-imagenet100-lt.py'

model = dict(
    head=dict(
        loss=dict(
            _delete_=True,
            type='mmpaco.MultiTaskLoss',
            supcon_weight=0.5,
            temperature={{'$TEMPERATURE:0.07'}},
        )
    )
)
