# As released, but that the rate there is that of the next epoch, with a last
# one at a rate of 0.
_base_ = [
    '../_base_/runtime_best.py',
    '../_base_/models/resnext50-32x4d.py',
    '../_base_/datasets/imagenet-lt.py',
    '../_base_/schedules/sgd_90e.py',
    '../_base_/pipelines/jitter_224.py',
    '../_base_/methods/tde.py',
]

model = _base_.method.model
# The mean keeps more as the rate falls to 0: 1 - 0.1 min(50 rate, 1).
model.head.update(alpha=3.0, full_rate=0.02)
# 4 GPUs x 128 images.
train_dataloader = dict(
    batch_size=128,
    dataset=dict(
        pipeline=[
            dict(type='LoadImageFromFile'),
            *_base_.jitter,
            dict(type='PackInputs'),
        ]
    ),
)
