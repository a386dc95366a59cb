# iNaturalist 2018: 437,513 images of 8142 species to train, 3 of each to
# validate. The labels of its test are not public: the list to validate is what
# the papers report, so it chooses nothing here. All else is that of
# ImageNet-LT.
_base_ = './imagenet-lt.py'

# The release's constants, those of this data set.
data_preprocessor = dict(
    num_classes=8142,
    mean=[118.83, 120.105, 96.9],
    std=[49.725, 49.47, 48.96],
)
data_root = 'data/inaturalist2018'
train_dataset = dict(type='mmpaco.INaturalist2018', data_root=data_root)
train_dataloader = dict(dataset=train_dataset)
val_dataloader = dict(dataset=train_dataset)
test_dataloader = dict(dataset=dict(train_dataset, split='val'))
val_evaluator = dict(train_dataset=train_dataset)
test_evaluator = val_evaluator
