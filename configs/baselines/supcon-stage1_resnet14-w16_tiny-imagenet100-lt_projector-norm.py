_base_ = './supcon-stage1_resnet14-w16_tiny-imagenet100-lt.py'

model = dict(head=dict(projector=dict(norm_cfg=dict(type='BN1d'))))
