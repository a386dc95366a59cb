# The same without class weights. The papers do not say whose Focal Loss their
# figure is of; earlier ones quote it from the paper of this release.
_base_ = './cb-focal_resnet32_cifar100-lt-if100.py'

model = dict(head=dict(loss=dict(beta=0.0)))
