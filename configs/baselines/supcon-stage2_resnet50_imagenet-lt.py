# A linear classifier on the frozen network of stage 1. Of another place:
# --cfg-options model.backbone.init_cfg.checkpoint=FILE
_base_ = './cross-entropy_resnet50_imagenet-lt.py'

model = dict(
    backbone=dict(
        # Also their batch norm keeps its statistics.
        frozen_stages=4,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/supcon-stage1_resnet50_imagenet-lt/epoch_400.pth',
            prefix='backbone.',
        ),
    )
)
