# The rate of the release of Class-Balanced Loss, 0.4 for 256 images: it rises
# from 0 to lr at each iteration of the first five epochs, and is divided by 10
# at epochs 30, 60 and 80. Norms do not decay.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(
        type='SGD', lr=1.6, momentum=0.9, weight_decay=1e-4, nesterov=True
    ),
    paramwise_cfg=dict(norm_decay_mult=0.0),
)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-6,
        begin=0,
        end=5,
        convert_to_iter_based=True,
    ),
    dict(type='MultiStepLR', milestones=[30, 60, 80], gamma=0.1),
]
train_cfg = dict(by_epoch=True, max_epochs=90, val_interval=1)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=1024)
