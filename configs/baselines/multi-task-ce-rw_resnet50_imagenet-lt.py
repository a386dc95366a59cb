# The contrast re-weighted by the effective number of images.
_base_ = './multi-task-ce_resnet50_imagenet-lt.py'

model = dict(head=dict(loss=dict(reweight=True)))
