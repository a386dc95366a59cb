_base_ = ['../randaug-stack_n3-m12_224.py', '../sim_224.py']

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='MultiView',
        num_views=[1, 1],
        transforms=[_base_.randaug_stack, _base_.sim],
    ),
    dict(type='PackInputs'),
]
