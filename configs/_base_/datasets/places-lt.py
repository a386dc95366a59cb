# Places-LT: 62,500 images to train, of 4980 to 5 a class. All else is that of
# ImageNet-LT.
_base_ = './imagenet-lt.py'

data_preprocessor = dict(num_classes=365)
data_root = 'data/places'
train_dataset = dict(type='mmpaco.PlacesLT', data_root=data_root)
train_dataloader = dict(dataset=train_dataset)
val_dataloader = dict(dataset=train_dataset)
test_dataloader = dict(dataset=train_dataset)
val_evaluator = dict(train_dataset=train_dataset)
test_evaluator = val_evaluator
