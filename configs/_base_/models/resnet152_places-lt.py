# Of the convolutions those of the last block are trained, of batch norm all.
_base_ = './resnet152.py'

model = dict(
    backbone=dict(
        type='mmpaco.FrozenConvResNet',
        # torchvision's IMAGENET1K_V1, from which the papers start; for a
        # machine without internet access give the path of a copy.
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://download.pytorch.org/models/'
            'resnet152-394f9c45.pth',
        ),
    ),
    head=dict(num_classes=365),
)
