# Not in the papers: the settings of Balanced Softmax.
_base_ = [
    '../_base_/runtime_last.py',
    '../_base_/models/cifar-resnet32.py',
    '../_base_/datasets/cifar100-lt.py',
    '../_base_/schedules/cifar_400e.py',
    '../_base_/pipelines/cifar_autoaug-cutout.py',
]

train_dataloader = dict(
    dataset=dict(
        pipeline=[
            *_base_.autoaug_cutout,
            dict(type='PackInputs'),
        ]
    )
)
