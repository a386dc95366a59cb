# CIFAR-100-LT: the papers' 10,847 images, of 500 to 5 a class. There is no
# list to validate, so nothing is chosen: the last epoch counts.
# The release's constants are those of CIFAR-10. CIFAR is RGB already.
data_preprocessor = dict(
    num_classes=100,
    mean=[125.307, 122.961, 113.8575],
    std=[51.5865, 50.847, 51.255],
    to_rgb=False,
)
data_root = 'data/cifar100'
# A config adds its pipeline; to count labels none is needed.
train_dataset = dict(
    type='mmpaco.CIFAR100LT', data_root=data_root, split='train', factor=100
)

# 1 GPU x 128 images.
train_dataloader = dict(
    batch_size=128,
    num_workers=4,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=train_dataset,
)
val_dataloader = dict(
    batch_size=500,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CIFAR100',
        data_root=data_root,
        split='test',
        pipeline=[dict(type='PackInputs')],
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='mmpaco.ShotAccuracy', train_dataset=train_dataset)
test_evaluator = val_evaluator
