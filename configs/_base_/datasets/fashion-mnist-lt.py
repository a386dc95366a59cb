# Fashion-MNIST, made long-tailed: of 6000 images a class the head class keeps
# all and the last class 60; the 1000 others of each are the stock test set.
# docs/datasets.md says how to fill data/fashion-mnist. All else is that of
# MNIST-5k, also the seed, which draws the frequent classes and the images.
_base_ = './mnist5k-lt.py'

data_preprocessor = dict(mean=[72.94], std=[90.02])

view = [
    *_base_.view[:-1],
    dict(type='torchvision/RandomHorizontalFlip'),
    dict(type='PILToNumpy'),
]
train_pipeline = [*view, dict(type='PackInputs')]

stock = dict(type='FashionMNIST', data_root='data/fashion-mnist')
train_dataset = _base_.train_dataset
train_dataset.dataset.update(stock, pipeline=train_pipeline)
train_dataloader = dict(batch_size=128, dataset=train_dataset)

# Any choice is made on images that the long tail leaves out: at most 500 a
# class, none of the head class.
val_dataloader = dict(dataset=dict(dataset=stock, held_out=500))
# Counts fall from 6000 to 60: by the papers' limits of 100 and 20 images no
# class would be few-shot.
val_evaluator = dict(
    type='mmpaco.ShotAccuracy',
    train_dataset=train_dataset,
    many_shot=1000,
    few_shot=200,
)
test_dataloader = dict(dataset=stock)
test_evaluator = [val_evaluator, _base_.test_evaluator[1]]
