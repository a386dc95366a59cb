_base_ = './resnext50-32x4d.py'

model = dict(backbone=dict(depth=101))
