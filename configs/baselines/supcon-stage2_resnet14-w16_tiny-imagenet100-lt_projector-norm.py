# The first stage, which STAGE1 names, is all that differs.
_base_ = './supcon-stage2_resnet14-w16_tiny-imagenet100-lt.py'
