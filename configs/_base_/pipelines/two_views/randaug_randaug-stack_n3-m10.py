_base_ = ['../randaug_n3-m10_224.py', '../randaug-stack_n3-m10_224.py']

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='MultiView',
        num_views=[1, 1],
        transforms=[_base_.randaug, _base_.randaug_stack],
    ),
    dict(type='PackInputs'),
]
