# MNIST-5k (500 images a class), made long-tailed: of 400 images a class the
# head class keeps all and the last class 4; 100 others of each are the test
# set. tools/dataset_converters/mnist5k.py writes data/mnist5k.
# The seed draws which digits are frequent, and which images are kept.
seed = {{'$SEED:0'}}
data_preprocessor = dict(mean=[33.46], std=[78.87], num_classes=10)

view = [
    dict(type='NumpyToPIL'),
    dict(type='torchvision/Pad', padding=2),
    dict(
        type='torchvision/RandomAffine',
        degrees=10,
        translate=(0.1, 0.1),
        scale=(0.9, 1.1),
    ),
    dict(type='PILToNumpy'),
]
train_pipeline = [*view, dict(type='PackInputs')]
test_pipeline = [
    dict(type='NumpyToPIL'),
    dict(type='torchvision/Pad', padding=2),
    dict(type='PILToNumpy'),
    dict(type='PackInputs'),
]

train_dataset = dict(
    type='mmpaco.LongTailedDataset',
    dataset=dict(
        type='MNIST',
        data_root='data/mnist5k',
        download=False,
        pipeline=train_pipeline,
    ),
    profile='exp',
    factor=100,
    seed=seed,
    shuffle_classes=True,
)
train_dataloader = dict(
    batch_size=64,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=train_dataset,
)

# Any choice is made on images that the long tail leaves out: at most 150 a
# class, none of the head class.
val_dataloader = dict(
    batch_size=500,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmpaco.LongTailedDataset',
        dataset=dict(
            type='MNIST',
            data_root='data/mnist5k',
            download=False,
            pipeline=test_pipeline,
        ),
        profile='exp',
        factor=100,
        seed=seed,
        shuffle_classes=True,
        held_out=150,
    ),
)
val_evaluator = dict(type='mmpaco.ShotAccuracy', train_dataset=train_dataset)

test_dataloader = dict(
    batch_size=500,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='MNIST',
        data_root='data/mnist5k',
        split='test',
        download=False,
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_evaluator = [
    dict(type='mmpaco.ShotAccuracy', train_dataset=train_dataset),
    # Accuracy of each class, for the picture.
    dict(type='SingleLabelMetric', items=('recall',), average=None),
]
