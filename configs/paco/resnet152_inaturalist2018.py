# The release has no script; the papers say that the settings of ImageNet-LT
# were reused. Here they are those of ResNet-50, which has a script.
_base_ = './resnet50_inaturalist2018.py'

model = dict(backbone=dict(depth=152))
