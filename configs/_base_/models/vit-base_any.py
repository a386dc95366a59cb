# Any ViT-B/16 that is trained already, by the names of mmpretrain: the
# variable WEIGHTS is a path or an address. Of its blocks only the last is
# trained, of 12 frozen ones none.
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='VisionTransformer',
        arch='base',
        frozen_stages=11,
        init_cfg=dict(
            type='Pretrained',
            prefix='backbone.',
            checkpoint='{{$WEIGHTS:data/vit/vit-base.pth}}',
        ),
    ),
    head=dict(
        type='LinearClsHead',
        num_classes=1000,
        in_channels=768,
        loss=dict(type='CrossEntropyLoss'),
    ),
)
