# Not in the release. The figure is PaCo's already, before GPaCo left out the
# momentum encoder: batch, rate and temperature are those of PaCo, the weight
# is that of Table 13 of GPaCo.
_base_ = '../paco/resnet50_cifar100.py'

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
