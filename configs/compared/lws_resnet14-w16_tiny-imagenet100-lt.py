_base_ = './crt_resnet14-w16_tiny-imagenet100-lt.py'

# A scale for the score of each class, on the classifier of the first stage.
model = dict(fresh_head=False, head=dict(type='mmpaco.ScaledClsHead'))
param_scheduler = [dict(type='CosineAnnealingLR', T_max=5, begin=0, end=5)]
train_cfg = dict(max_epochs=5)
