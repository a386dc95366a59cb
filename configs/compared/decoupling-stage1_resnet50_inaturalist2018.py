_base_ = [
    '../_base_/runtime_last.py',
    '../_base_/models/resnet50.py',
    '../_base_/datasets/inaturalist2018.py',
    '../_base_/schedules/sgd_90e.py',
    '../_base_/pipelines/crop-flip_224.py',
]

model = dict(head=dict(num_classes=8142))
# 4 GPUs x 128 images.
train_dataloader = dict(
    batch_size=128,
    dataset=dict(
        pipeline=[
            dict(type='LoadImageFromFile'),
            *_base_.crop_flip,
            dict(type='PackInputs'),
        ]
    ),
)
optim_wrapper = dict(optimizer=dict(weight_decay=1e-4))
