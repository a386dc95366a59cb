_base_ = [
    '../_base_/default_runtime_mmseg.py',
    '../_base_/models/deeplabv3plus_r101-d8.py',
    '../_base_/datasets/cityscapes.py',
    '../_base_/schedules/sgd_80k.py',
]

model = dict(data_preprocessor=dict(size=(512, 1024)))

default_hooks = dict(checkpoint=dict(interval=8000))
