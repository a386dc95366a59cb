# The papers name the figure alone; all but Mixup and CutMix is MAE's.
_base_ = './vit-large_mae_imagenet.py'

model = dict(train_cfg=None)
