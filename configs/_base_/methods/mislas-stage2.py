# The second stage of MiSLAS. A config that stands on this and on its first
# stage has
#   model = _base_.method.model
#   train_dataloader = dict(sampler=_base_.method.sampler)
method = dict(
    # The classifier goes on, with a scale for the score of each class. The
    # network is frozen, but its batch norm goes on moving.
    model=dict(
        type='mmpaco.LinearProbeClassifier',
        moving_statistics=True,
        head=dict(
            type='mmpaco.ScaledClsHead',
            train_fc=True,
            loss=dict(
                _delete_=True,
                type='mmpaco.LabelAwareSmoothLoss',
                num_classes=100,
                head=0.3,
                tail=0.0,
            ),
        ),
    ),
    sampler=dict(
        _delete_=True, type='mmpaco.ClassPowerSampler', power=0, in_a_row=4
    ),
)
custom_hooks = [dict(type='mmpaco.ClassPriorHook')]
