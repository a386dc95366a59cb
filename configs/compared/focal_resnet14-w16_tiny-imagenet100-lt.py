_base_ = './cb-focal_resnet14-w16_tiny-imagenet100-lt.py'

model = dict(head=dict(loss=dict(beta=0.0)))
