# The rate of the release of logit adjustment: it rises from 0 to lr at each
# iteration of the first 22 epochs, and is divided by 10 at epochs 691, 1059
# and 1290. An epoch of CIFAR-100-LT (100) has 84 iterations. Norms have no
# decay.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(
        type='SGD', lr=0.1, momentum=0.9, weight_decay=2e-4, nesterov=True
    ),
    paramwise_cfg=dict(norm_decay_mult=0.0),
)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-6,
        begin=0,
        end=22,
        convert_to_iter_based=True,
    ),
    dict(type='MultiStepLR', milestones=[691, 1059, 1290], gamma=0.1),
]
train_cfg = dict(by_epoch=True, max_epochs=1419, val_interval=10)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=128)
