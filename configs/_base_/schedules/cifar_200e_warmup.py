# As cifar_200e.py, but for a rate that rises from 0 at each iteration of the
# first five epochs, as in the release of Class-Balanced Loss.
_base_ = './cifar_200e.py'

param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-6,
        begin=0,
        end=5,
        convert_to_iter_based=True,
    ),
    _base_.param_scheduler[1],
]
