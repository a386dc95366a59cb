# The release's rate in epoch e, counted from 0: lr (e + 1) / 10 up to epoch
# 10, there 1.1 lr; then lr, a tenth of it from epoch 321 and a hundredth from
# epoch 361. All parameters decay, also norms and biases.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.05, momentum=0.9, weight_decay=5e-4),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=10),
    dict(type='MultiStepLR', milestones=[10], gamma=1.1),
    dict(type='MultiStepLR', milestones=[11], gamma=1 / 1.1),
    dict(type='MultiStepLR', milestones=[321, 361], gamma=0.1),
]
train_cfg = dict(by_epoch=True, max_epochs=400, val_interval=10)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=128)
