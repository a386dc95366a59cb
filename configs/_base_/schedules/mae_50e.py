# MAE's fine-tuning of ViT-L/16: 50 epochs, and 8 GPUs x 16 images x 8
# iterations for a step.
_base_ = './mae_100e.py'

optim_wrapper = dict(
    accumulative_counts=8,
    optimizer=dict(lr=4e-3),
    paramwise_cfg=dict(layer_decay_rate=0.75),
)
param_scheduler = [
    _base_.param_scheduler[0],
    dict(
        _base_.param_scheduler[1],
        T_max=45,
        eta_min_ratio=1e-6 / 4e-3,
        end=50,
    ),
]
train_cfg = dict(max_epochs=50)
auto_scale_lr = dict(base_batch_size=128)
