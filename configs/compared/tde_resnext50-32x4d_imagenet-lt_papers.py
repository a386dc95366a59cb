# In the papers' setting: 400 epochs with RandAugment, batch, rate and decay of
# PaCo.
_base_ = '../baselines/balanced-softmax_resnext50-32x4d_imagenet-lt.py'

model = dict(
    head=dict(
        type='mmpaco.CausalNormHead',
        alpha=3.0,
        # A tenth of the highest rate, as in the release.
        full_rate=0.002,
        loss=dict(_delete_=True, type='CrossEntropyLoss'),
    )
)
custom_hooks = [dict(type='mmpaco.CausalNormHook')]
