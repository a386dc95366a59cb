# 3, 24, 36 and 3 bottlenecks.
_base_ = './resnet50.py'

model = dict(backbone=dict(type='mmpaco.ResNet200', depth=200))
