# RandAugment in view 1, as released; the paper says stacked RandAugment.
_base_ = './resnet50_imagenet.py'

model = dict(backbone=dict(depth=101))
