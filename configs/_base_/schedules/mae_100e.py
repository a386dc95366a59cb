# MAE's fine-tuning of ViT-B/16. The rate of iteration t, of n in an epoch, is
# that of the layer times 2e-3 t / (5 n) in the first five epochs, and then
# 1e-6 + (2e-3 - 1e-6) / 2 (1 + cos(pi (t / n - 5) / 95)).
optim_wrapper = dict(
    type='AmpOptimWrapper',
    # 8 GPUs x 32 images x 4 iterations are the 1024 of a step.
    accumulative_counts=4,
    optimizer=dict(
        type='AdamW', lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.05
    ),
    constructor='LearningRateDecayOptimWrapperConstructor',
    paramwise_cfg=dict(
        layer_decay_rate=0.65,
        # Of vectors: biases, and scales and shifts of norms.
        flat_decay_mult=0.0,
        custom_keys={
            'backbone.cls_token': dict(decay_mult=0.0),
            'backbone.pos_embed': dict(decay_mult=0.0),
        },
    ),
)
param_scheduler = [
    dict(
        type='LinearLR',
        # mmengine multiplies from step to step, so it cannot start at 0. A
        # step of this rate moves no weight of float32.
        start_factor=1e-9,
        begin=0,
        end=5,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        T_max=95,
        # Scaled by the layer, as all of the rate is.
        eta_min_ratio=1e-6 / 2e-3,
        begin=5,
        end=100,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(by_epoch=True, max_epochs=100, val_interval=1)
val_cfg = dict()
test_cfg = dict()
# The images of an iteration, of all GPUs.
auto_scale_lr = dict(base_batch_size=256)
