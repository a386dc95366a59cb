_base_ = [
    '../_base_/default_runtime_mmseg.py',
    '../_base_/models/upernet_swin-l.py',
    '../_base_/datasets/ade20k.py',
    '../_base_/schedules/adamw_160k.py',
]

model = dict(data_preprocessor=dict(size=(512, 512)))
