# The rate of RIDE's release in epoch e, counted from 0: lr (e + 1) / 5 up to
# epoch 4, then lr, a tenth of it from epoch 60 and a hundredth from epoch 80.
# All parameters decay, also norms and biases.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(
        type='SGD', lr=0.1, momentum=0.9, weight_decay=2e-4, nesterov=True
    ),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.2, begin=0, end=5),
    dict(type='MultiStepLR', milestones=[60, 80], gamma=0.1),
]
train_cfg = dict(by_epoch=True, max_epochs=100, val_interval=1)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=256)
