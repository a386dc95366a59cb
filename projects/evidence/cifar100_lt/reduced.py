# As lists.py in 120 epochs on a processor, whose steps are cheaper by other
# rounding alone. The rate falls at the same shares of the epochs, 0.8 and 0.9.
_base_ = './lists.py'

optim_wrapper = dict(type='mmpaco.BFloat16OptimWrapper')
param_scheduler = [
    *_base_.param_scheduler[:3],
    dict(type='MultiStepLR', milestones=[96, 108], gamma=0.1),
]
train_cfg = dict(max_epochs=120)
train_dataloader = dict(num_workers=0, persistent_workers=False)
val_dataloader = dict(num_workers=0, persistent_workers=False)
test_dataloader = dict(num_workers=0, persistent_workers=False)
custom_hooks = [
    *_base_.get('custom_hooks', []),
    dict(type='mmpaco.ChannelsLastHook'),
    dict(type='mmpaco.CompileHook'),
]
