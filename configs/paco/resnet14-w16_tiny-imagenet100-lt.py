_base_ = '../gpaco/resnet14-w16_tiny-imagenet100-lt.py'

model = dict(
    type='mmpaco.PaCoClassifier',
    momentum=0.999,
    head=dict(projector=dict(num_layers=2, norm_cfg=dict(type='BN1d'))),
)
