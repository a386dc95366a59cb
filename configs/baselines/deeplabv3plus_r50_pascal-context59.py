_base_ = [
    '../_base_/default_runtime_mmseg.py',
    '../_base_/models/deeplabv3plus_r50-d8.py',
    '../_base_/datasets/pascal-context59.py',
    '../_base_/schedules/sgd_40k.py',
]

model = dict(
    data_preprocessor=dict(size=(480, 480)),
    decode_head=dict(num_classes=59),
    auxiliary_head=dict(num_classes=59),
    test_cfg=dict(mode='slide', crop_size=(480, 480), stride=(320, 320)),
)

optim_wrapper = dict(optimizer=dict(lr=0.004, weight_decay=1e-4))
