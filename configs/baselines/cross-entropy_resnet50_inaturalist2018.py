# Not in the papers by itself: 400 epochs with RandAugment, of which they make
# the tau-normalised classifier. Batch, rate and decay are those of PaCo.
_base_ = [
    '../_base_/runtime_last.py',
    '../_base_/models/resnet50.py',
    '../_base_/datasets/inaturalist2018.py',
    '../_base_/schedules/sgd_400e.py',
    '../_base_/pipelines/randaug_n2-m10_224.py',
]

model = dict(head=dict(num_classes=8142))
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadImageFromFile'),
            *_base_.randaug,
            dict(type='PackInputs'),
        ]
    )
)
optim_wrapper = dict(optimizer=dict(weight_decay=1e-4))
