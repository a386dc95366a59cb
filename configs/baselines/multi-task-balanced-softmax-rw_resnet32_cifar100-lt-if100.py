# The contrast re-weighted by the effective number of images, as the papers
# mean it.
_base_ = './multi-task-balanced-softmax_resnet32_cifar100-lt-if100.py'

model = dict(head=dict(loss=dict(reweight=True)))
