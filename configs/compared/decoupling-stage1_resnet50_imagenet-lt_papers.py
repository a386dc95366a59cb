# The first stage in the setting of the papers: 400 epochs with RandAugment.
_base_ = [
    '../baselines/cross-entropy_resnet50_imagenet-lt.py',
    '../_base_/pipelines/randaug_n2-m10_224.py',
]

train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadImageFromFile'),
            *_base_.randaug,
            dict(type='PackInputs'),
        ]
    )
)
