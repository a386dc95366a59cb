_base_ = './multi-task-balanced-softmax_lenet5_mnist5k-lt.py'

model = dict(head=dict(loss=dict(reweight=True)))
