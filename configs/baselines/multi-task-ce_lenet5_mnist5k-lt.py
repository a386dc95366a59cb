_base_ = '../gpaco/lenet5_mnist5k-lt.py'

# GPaCo's head and views, with the contrast beside the classification.
model = dict(
    head=dict(
        loss=dict(
            _delete_=True,
            type='mmpaco.MultiTaskLoss',
            supcon_weight=0.5,
            temperature=0.07,
            balanced=False,
            reweight=False,
        )
    )
)
