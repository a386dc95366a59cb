# PaCo is GPaCo with a momentum encoder and a smaller projector.
_base_ = './gpaco.py'

method = dict(
    model=dict(
        momentum=0.999,
        head=dict(projector=dict(num_layers=2, norm_cfg=dict(type='BN1d'))),
    )
)
