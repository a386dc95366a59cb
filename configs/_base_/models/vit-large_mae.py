_base_ = './vit-base_mae.py'

model = dict(
    backbone=dict(
        arch='large',
        drop_path_rate=0.2,
        init_cfg=dict(checkpoint='data/mae/vit-large.pth'),
    ),
    head=dict(in_channels=1024),
)
