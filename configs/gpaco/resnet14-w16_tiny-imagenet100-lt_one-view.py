_base_ = './resnet14-w16_tiny-imagenet100-lt.py'

data_preprocessor = dict(num_views=1)
model = dict(head=dict(num_views=1))
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='Compose', transforms=_base_.view),
            dict(type='PackInputs'),
        ]
    )
)
