# The contrast re-weighted by the effective number of images.
_base_ = './multi-task-ce_resnet32_cifar100-lt-if100.py'

model = dict(head=dict(loss=dict(reweight=True)))
