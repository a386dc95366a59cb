_base_ = './sgd_40k.py'

max_iters = 80000
param_scheduler = [
    dict(
        type='PolyLR',
        eta_min=1e-4,
        power=0.9,
        begin=0,
        end=max_iters,
        by_epoch=False,
    )
]
train_cfg = dict(max_iters=max_iters, val_interval=8000)
auto_scale_lr = dict(base_batch_size=8)
