_base_ = './multi-task-balanced-softmax_resnet32_cifar100-lt-if100.py'

model = dict(head=dict(loss=dict(balanced=False)))
