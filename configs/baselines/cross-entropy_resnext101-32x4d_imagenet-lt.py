# The setting of the papers' 44.8 is not told, as that of ResNeXt-50.
_base_ = './cross-entropy_resnext50-32x4d_imagenet-lt.py'

model = dict(backbone=dict(depth=101))
