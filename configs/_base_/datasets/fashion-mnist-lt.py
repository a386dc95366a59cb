# Fashion-MNIST, made long-tailed: of 6000 images a class the head class keeps
# all and the last class 60; the 1000 others of each are the stock test set.
# docs/datasets.md says how to fill data/fashion-mnist.
# The seed draws which classes are frequent, and which images are kept.
seed = {{'$SEED:0'}}
data_preprocessor = dict(mean=[72.94], std=[90.02], num_classes=10)

view = [
    dict(type='NumpyToPIL'),
    dict(type='torchvision/Pad', padding=2),
    dict(
        type='torchvision/RandomAffine',
        degrees=10,
        translate=(0.1, 0.1),
        scale=(0.9, 1.1),
    ),
    dict(type='torchvision/RandomHorizontalFlip'),
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
        type='FashionMNIST',
        data_root='data/fashion-mnist',
        download=False,
        pipeline=train_pipeline,
    ),
    profile='exp',
    factor=100,
    seed=seed,
    shuffle_classes=True,
)
train_dataloader = dict(
    batch_size=128,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=train_dataset,
)

# Any choice is made on images that the long tail leaves out: at most 500 a
# class, none of the head class.
val_dataloader = dict(
    batch_size=500,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmpaco.LongTailedDataset',
        dataset=dict(
            type='FashionMNIST',
            data_root='data/fashion-mnist',
            download=False,
            pipeline=test_pipeline,
        ),
        profile='exp',
        factor=100,
        seed=seed,
        shuffle_classes=True,
        held_out=500,
    ),
)
# Counts fall from 6000 to 60: by the papers' limits of 100 and 20 images no
# class would be few-shot.
val_evaluator = dict(
    type='mmpaco.ShotAccuracy',
    train_dataset=train_dataset,
    many_shot=1000,
    few_shot=200,
)

test_dataloader = dict(
    batch_size=500,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='FashionMNIST',
        data_root='data/fashion-mnist',
        split='test',
        download=False,
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_evaluator = [
    val_evaluator,
    dict(type='SingleLabelMetric', items=('recall',), average=None),
]
