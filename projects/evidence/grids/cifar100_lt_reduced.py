"""As cifar100_lt in 120 epochs, for two cores of a processor."""

from cifar100_lt import described

GRID = described(
    'cifar100_lt_reduced',
    '120 epochs',
    'reduced',
    ('Balanced Softmax', 'GPaCo'),
    {'EPOCHS': '120'},
)
