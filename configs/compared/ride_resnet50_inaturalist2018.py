# As released. The list to validate, which the papers report, chooses nothing.
_base_ = [
    '../_base_/runtime_last.py',
    '../_base_/models/resnet50.py',
    '../_base_/datasets/inaturalist2018.py',
    '../_base_/schedules/sgd_100e_nesterov.py',
    '../_base_/pipelines/crop-flip_224.py',
    '../_base_/methods/ride.py',
]

model = _base_.method.model
model.head.num_classes = 8142
model.head.loss.update(num_classes=8142, spread=0.015)
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
optim_wrapper = dict(optimizer=dict(lr=0.2))
auto_scale_lr = dict(base_batch_size=512)
