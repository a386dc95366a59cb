_base_ = './cb-focal_resnet32_cifar100-lt-if100_papers.py'

model = dict(head=dict(loss=dict(beta=0.0)))
