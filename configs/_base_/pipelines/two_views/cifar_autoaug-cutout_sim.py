_base_ = ['../cifar_autoaug-cutout.py', '../cifar_sim.py']

train_pipeline = [
    dict(
        type='MultiView',
        num_views=[1, 1],
        transforms=[_base_.autoaug_cutout, _base_.cifar_sim],
    ),
    dict(type='PackInputs'),
]
