# The rate of BBN's release in epoch e, counted from 0: lr, a tenth of it from
# epoch 120 and a hundredth from epoch 160. All parameters decay, also norms
# and biases.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(
        type='SGD', lr=0.05, momentum=0.9, weight_decay=1e-4, nesterov=True
    ),
)
param_scheduler = [
    dict(type='MultiStepLR', milestones=[120, 160], gamma=0.1),
]
train_cfg = dict(by_epoch=True, max_epochs=180, val_interval=1)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=128)
