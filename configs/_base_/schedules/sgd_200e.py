# ResLT's rate on iNaturalist 2018 in epoch e, counted from 0:
# lr / 2 (1 + cos(pi e / 200)). All parameters decay, also norms and biases.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=1e-4),
)
param_scheduler = [dict(type='CosineAnnealingLR', T_max=200, begin=0, end=200)]
train_cfg = dict(by_epoch=True, max_epochs=200, val_interval=1)
val_cfg = dict()
test_cfg = dict()
# The global batch: images of all GPUs.
auto_scale_lr = dict(base_batch_size=256)
