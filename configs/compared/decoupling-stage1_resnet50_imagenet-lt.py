# Cross-entropy: the first stage of cRT and LWS, by their release's config for
# ResNeXt-50. A second stage takes the last epoch.
_base_ = [
    '../_base_/runtime_best.py',
    '../_base_/models/resnet50.py',
    '../_base_/datasets/imagenet-lt.py',
    '../_base_/schedules/sgd_90e.py',
    '../_base_/pipelines/jitter_224.py',
]

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
