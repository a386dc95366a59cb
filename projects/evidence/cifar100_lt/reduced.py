# As short.py on a processor, whose steps are cheaper by other rounding alone.
_base_ = './short.py'

optim_wrapper = dict(type='mmpaco.BFloat16OptimWrapper')
train_dataloader = dict(num_workers=0, persistent_workers=False)
val_dataloader = dict(num_workers=0, persistent_workers=False)
test_dataloader = dict(num_workers=0, persistent_workers=False)
custom_hooks = [
    *_base_.get('custom_hooks', []),
    dict(type='mmpaco.ChannelsLastHook'),
    dict(type='mmpaco.CompileHook'),
]
