# iNaturalist 2018: 437,513 images of 8142 species to train, 3 of each to
# validate. The labels of its test are not public: the list to validate is what
# the papers report, so it chooses nothing here.
_base_ = '../pipelines/test_224.py'

# The release's constants, those of this data set.
data_preprocessor = dict(
    num_classes=8142,
    mean=[118.83, 120.105, 96.9],
    std=[49.725, 49.47, 48.96],
    to_rgb=True,
)
data_root = 'data/inaturalist2018'
# A config adds its pipeline; to count labels none is needed.
train_dataset = dict(
    type='mmpaco.INaturalist2018', data_root=data_root, split='train'
)
test_pipeline = [
    dict(type='LoadImageFromFile'),
    *_base_.test_view,
    dict(type='PackInputs'),
]

# 4 GPUs x 32 images.
train_dataloader = dict(
    batch_size=32,
    num_workers=8,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=train_dataset,
)
val_dataloader = dict(
    batch_size=64,
    num_workers=8,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmpaco.INaturalist2018',
        data_root=data_root,
        split='val',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='mmpaco.ShotAccuracy', train_dataset=train_dataset)
test_evaluator = val_evaluator
