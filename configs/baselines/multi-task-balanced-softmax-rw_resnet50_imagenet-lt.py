# The contrast re-weighted by the effective number of images, as the papers
# mean it.
_base_ = './multi-task-balanced-softmax_resnet50_imagenet-lt.py'

model = dict(head=dict(loss=dict(reweight=True)))
