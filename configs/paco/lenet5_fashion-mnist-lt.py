_base_ = '../gpaco/lenet5_fashion-mnist-lt.py'

# 128 anchors, as many keys and the queue: alpha x K is 2.
model = dict(
    type='mmpaco.PaCoClassifier',
    momentum=0.999,
    head=dict(
        queue_length=256,
        projector=dict(num_layers=2),
    ),
)
