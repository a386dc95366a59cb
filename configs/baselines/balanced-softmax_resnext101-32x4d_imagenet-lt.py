_base_ = './balanced-softmax_resnext50-32x4d_imagenet-lt.py'

model = dict(backbone=dict(depth=101))
