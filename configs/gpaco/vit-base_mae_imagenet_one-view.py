_base_ = './vit-base_mae_imagenet.py'

data_preprocessor = dict(num_views=1)
model = dict(head=dict(num_views=1))
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='Compose', transforms=_base_.randaug_stack),
            dict(type='PackInputs'),
        ]
    )
)
