# Decoupling's rate in epoch e, counted from 0: lr / 2 (1 + cos(pi e / 90)). It
# ends at 0. All parameters decay, also norms and biases.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.2, momentum=0.9, weight_decay=5e-4),
)
param_scheduler = [dict(type='CosineAnnealingLR', T_max=90, begin=0, end=90)]
train_cfg = dict(by_epoch=True, max_epochs=90, val_interval=1)
val_cfg = dict()
test_cfg = dict()
# The global batch: images of all GPUs.
auto_scale_lr = dict(base_batch_size=512)
