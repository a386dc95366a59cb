# A linear classifier on the frozen network of stage 1. Of another place:
# --cfg-options model.backbone.init_cfg.checkpoint=FILE
_base_ = './cross-entropy_resnet32_cifar100-lt-if100.py'

model = dict(
    backbone=dict(
        # Also their batch norm keeps its statistics.
        frozen_stages=3,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/supcon-stage1_resnet32_cifar100-lt-if100/epoch_400.pth',
            prefix='backbone.',
        ),
    )
)
