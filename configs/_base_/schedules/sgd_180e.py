# ResLT's rate in epoch e, counted from 0: lr (e + 1) / 5 up to epoch 4, then
# lr / 2 (1 + cos(pi (e - 4) / 176)). All parameters decay, also norms and
# biases.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=5e-4),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.2, begin=0, end=5),
    # It starts at the top of the warm-up, so epoch 5 is below it.
    dict(type='CosineAnnealingLR', T_max=176, begin=4, end=180),
]
train_cfg = dict(by_epoch=True, max_epochs=180, val_interval=1)
val_cfg = dict()
test_cfg = dict()
# The global batch: images of all GPUs.
auto_scale_lr = dict(base_batch_size=256)
