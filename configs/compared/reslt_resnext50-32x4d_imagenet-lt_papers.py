# In the papers' setting: 400 epochs with RandAugment, batch, rate and decay of
# PaCo. All else is that of ResLT's release, what it does at test too.
_base_ = '../baselines/balanced-softmax_resnext50-32x4d_imagenet-lt.py'

model = dict(
    neck=None,
    head=dict(
        type='mmpaco.ResLTHead',
        branch='conv',
        test_tau=0.7,
        test_pool_first=True,
        loss=dict(
            _delete_=True,
            type='mmpaco.ResLTLoss',
            num_classes=1000,
            beta=0.99,
            groups=[1000, 825, 220],
            sum_eps=1e-7,
        ),
    ),
)
