_base_ = '../gpaco/lenet5_mnist5k-lt.py'

model = dict(
    type='mmpaco.PaCoClassifier',
    momentum=0.999,
    head=dict(
        queue_length=128,
        projector=dict(num_layers=2),
    ),
)
