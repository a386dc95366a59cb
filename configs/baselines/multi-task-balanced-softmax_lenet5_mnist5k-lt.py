_base_ = './multi-task-ce_lenet5_mnist5k-lt.py'

# What the papers name "multi-task Balanced Softmax + re-weighting" ran
# without the re-weighting (docs/differences.md): it is this config.
model = dict(head=dict(loss=dict(balanced=True)))
