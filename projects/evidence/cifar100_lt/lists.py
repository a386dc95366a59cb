# A shipped config for CIFAR-100-LT, named by METHOD, with its images read from
# list files: nothing else is changed. So there are images to validate.
_base_ = '../../../configs/{{$METHOD:gpaco/resnet32_cifar100-lt-if100}}.py'

# CIFAR's own files give arrays in the order RGB.
read_rgb = [
    dict(type='LoadImageFromFile'),
    dict(type='NumpyToPIL', to_rgb=True),
    dict(type='PILToNumpy'),
]
lists = dict(
    type='mmpaco.ImageListDataset',
    data_root='data/cifar100_lt',
    num_classes=100,
)
train_dataset = dict(
    _delete_=True,
    **lists,
    ann_file='train_if100.txt',
    pipeline=[*read_rgb, *_base_.train_dataloader.dataset.pipeline],
)
held_out = dict(
    _delete_=True,
    **lists,
    test_mode=True,
    pipeline=[*read_rgb, *_base_.test_dataloader.dataset.pipeline],
)
train_dataloader = dict(dataset=train_dataset)
val_dataloader = dict(dataset=dict(**held_out, ann_file='val.txt'))
test_dataloader = dict(dataset=dict(**held_out, ann_file='test.txt'))
trained_on = dict(**lists, ann_file='train_if100.txt')
# Keys to delete are looked for in dicts alone, not in a list.
val_evaluator = dict(
    type='mmpaco.ShotAccuracy',
    train_dataset=dict(_delete_=True, **trained_on),
)
test_evaluator = [
    dict(type='mmpaco.ShotAccuracy', train_dataset=trained_on),
    # Accuracy of each class, for the picture.
    dict(type='SingleLabelMetric', items=('recall',), average=None),
]
