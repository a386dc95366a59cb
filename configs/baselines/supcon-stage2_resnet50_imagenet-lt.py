_base_ = './cross-entropy_resnet50_imagenet-lt.py'

# A linear classifier on the frozen network of stage 1. The environment
# variable STAGE1 names its checkpoint, if it is not where tools/train.py
# leaves it.
stage1 = (
    '{{$STAGE1:work_dirs/supcon-stage1_resnet50_imagenet-lt/epoch_400.pth}}'  # noqa: E501
)

# Batch norm keeps its statistics, too.
model = dict(pretrained=stage1, backbone=dict(frozen_stages=4))
custom_hooks = [dict(type='mmpaco.FrozenWeightsHook')]
