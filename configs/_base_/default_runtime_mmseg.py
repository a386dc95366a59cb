default_scope = 'mmseg'
custom_imports = dict(imports=['mmpaco'])

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=4000),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    visualization=dict(type='SegVisualizationHook'),
    whole_checkpoint=dict(type='mmpaco.WholeCheckpointHook'),
)

env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)

vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(
    type='SegLocalVisualizer', vis_backends=vis_backends, name='visualizer'
)
log_processor = dict(by_epoch=False)

log_level = 'INFO'
load_from = None
resume = False
# The environment variable SEED sets the seed: SEED=3 tools/train.py ...
randomness = dict(seed={{'$SEED:0'}})

# Softmax scores of all scales and flips, averaged: the papers' m.s.
tta_model = dict(type='SegTTAModel')
