# Made for a CPU: on one thread the 2,400 iterations take about half an hour.
# One process needs no SyncBN, and training starts from scratch
# (pretrained=None), so that nothing has to be downloaded.
_base_ = [
    '../_base_/default_runtime_mmseg.py',
    '../_base_/models/deeplabv3plus_r18-d8.py',
    '../_base_/datasets/camvid.py',
    '../_base_/schedules/camvid_2400.py',
]

norm_cfg = dict(type='BN', requires_grad=True)
model = dict(
    data_preprocessor=dict(size=(128, 128)),
    pretrained=None,
    # Stride 16 costs less than half of stride 8; so half its dilations.
    backbone=dict(
        strides=(1, 2, 2, 1), dilations=(1, 1, 1, 2), norm_cfg=norm_cfg
    ),
    decode_head=dict(
        num_classes=11, dilations=(1, 6, 12, 18), norm_cfg=norm_cfg
    ),
    auxiliary_head=dict(num_classes=11, norm_cfg=norm_cfg),
)

# mmengine removes the oldest checkpoint before it writes the new one: of one
# alone, nothing would be left if the run was killed there.
default_hooks = dict(checkpoint=dict(interval=600, max_keep_ckpts=2))
env_cfg = dict(cudnn_benchmark=False)
