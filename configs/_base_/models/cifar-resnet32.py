# 0.46 million parameters, for images of 32 x 32 pixels.
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
