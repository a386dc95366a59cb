_base_ = './lws_resnet50_imagenet-lt.py'

stage1 = '{{$STAGE1:work_dirs/decoupling-stage1_resnext50-32x4d_imagenet-lt/epoch_90.pth}}'  # noqa: E501
model = dict(
    pretrained=stage1,
    backbone=dict(type='ResNeXt', groups=32, width_per_group=4),
)
