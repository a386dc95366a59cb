_base_ = [
    '../_base_/default_runtime_mmseg.py',
    '../_base_/models/deeplabv3plus_r101-d8.py',
    '../_base_/datasets/coco-stuff10k.py',
    '../_base_/schedules/sgd_40k.py',
]

model = dict(
    data_preprocessor=dict(size=(512, 512)),
    decode_head=dict(num_classes=171),
    auxiliary_head=dict(num_classes=171),
)
