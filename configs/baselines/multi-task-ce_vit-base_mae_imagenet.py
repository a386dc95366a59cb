_base_ = '../gpaco/vit-base_mae_imagenet.py'

model = dict(
    head=dict(
        loss=dict(
            _delete_=True,
            type='mmpaco.MultiTaskLoss',
            supcon_weight=0.5,
            temperature=0.2,
            balanced=False,
            label_smoothing=0.1,
        )
    )
)
