_base_ = './multi-task-ce_lenet5_mnist5k-lt.py'

model = dict(head=dict(loss=dict(reweight=True)))
