_base_ = [
    '../_base_/default_runtime_mmpretrain.py',
    '../_base_/models/resnet14-w16.py',
    '../_base_/datasets/tiny-imagenet100-lt.py',
    '../_base_/schedules/tiny-imagenet100-lt_100e.py',
]

default_hooks = dict(
    logger=dict(interval=76), checkpoint=dict(interval=5, max_keep_ckpts=2)
)

# Two thirds of the time on a processor.
custom_hooks = [dict(type='mmpaco.ChannelsLastHook')]
