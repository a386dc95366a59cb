"""As cifar100_lt in 200 epochs, for two methods on a GPU."""

from cifar100_lt import described

GRID = described(
    'cifar100_lt_200e',
    '200 epochs',
    'short',
    ('Balanced Softmax', 'GPaCo'),
    {'EPOCHS': '200', 'WORKERS': '8'},
)
