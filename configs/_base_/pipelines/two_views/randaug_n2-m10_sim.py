_base_ = ['../randaug_n2-m10_224.py', '../sim_224.py']

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='MultiView',
        num_views=[1, 1],
        transforms=[_base_.randaug, _base_.sim],
    ),
    dict(type='PackInputs'),
]
