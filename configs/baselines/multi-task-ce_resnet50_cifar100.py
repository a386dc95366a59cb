_base_ = '../gpaco/resnet50_cifar100.py'

model = dict(
    head=dict(
        loss=dict(
            _delete_=True,
            type='mmpaco.MultiTaskLoss',
            supcon_weight=0.5,
            temperature=0.07,
            balanced=False,
        )
    )
)
