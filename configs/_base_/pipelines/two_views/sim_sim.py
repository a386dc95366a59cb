_base_ = '../sim_224.py'

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='MultiView', num_views=2, transforms=[_base_.sim]),
    dict(type='PackInputs'),
]
