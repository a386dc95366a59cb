_base_ = './ride_resnet50_imagenet-lt.py'

model = dict(backbone=dict(groups=32, width_per_group=4))
