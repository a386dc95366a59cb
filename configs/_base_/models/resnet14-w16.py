# ResNet for 32 x 32 images that trains on a CPU: three stages of two basic
# blocks and 16, 32, 64 channels. The first stage halves the image already.
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='ResNet_CIFAR',
        depth=18,
        num_stages=3,
        stem_channels=8,
        base_channels=16,
        strides=(2, 2, 2),
        dilations=(1, 1, 1),
        out_indices=(2,),
    ),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=100, in_channels=64),
)
