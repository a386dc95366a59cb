# The second stage of cRT. A config that stands on this and on its first stage
# has
#   model = _base_.method.model
#   train_dataloader = dict(sampler=_base_.method.sampler)
method = dict(
    # A new classifier. The network is frozen, but its batch norm goes on
    # moving.
    model=dict(
        type='mmpaco.LinearProbeClassifier',
        moving_statistics=True,
        fresh_head=True,
    ),
    sampler=dict(
        _delete_=True, type='mmpaco.ClassPowerSampler', power=0, in_a_row=4
    ),
)
