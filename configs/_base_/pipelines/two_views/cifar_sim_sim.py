_base_ = '../cifar_sim.py'

train_pipeline = [
    dict(type='MultiView', num_views=2, transforms=[_base_.cifar_sim]),
    dict(type='PackInputs'),
]
