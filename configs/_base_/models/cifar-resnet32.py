# 0.46 million parameters, for images of 32 x 32 pixels.

# The release makes the last layer of its projector with the network, whose
# layers are initialised so; the other layers are PyTorch's own.
last_layer_init = dict(
    type='Kaiming',
    mode='fan_in',
    distribution='normal',
    override=dict(name='last'),
)
model = dict(
    type='ImageClassifier',
    backbone=dict(type='mmpaco.CIFARResNet', depth=32),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=100,
        in_channels=64,
        loss=dict(type='CrossEntropyLoss'),
    ),
)
