_base_ = './decoupling-stage1_resnext50-32x4d_imagenet-lt.py'

model = dict(backbone=dict(depth=101))
