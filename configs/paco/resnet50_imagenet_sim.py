# SimAugment in both views. The release has no script: all else is that of
# the config with RandAugment.
_base_ = './resnet50_imagenet.py'

train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='MultiView', num_views=2, transforms=[_base_.sim]),
            dict(type='PackInputs'),
        ]
    )
)
