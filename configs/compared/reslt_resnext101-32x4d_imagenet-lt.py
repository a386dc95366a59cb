_base_ = './reslt_resnext50-32x4d_imagenet-lt.py'

model = dict(backbone=dict(depth=101))
# 4 GPUs x 32 images.
train_dataloader = dict(batch_size=32)
optim_wrapper = dict(optimizer=dict(lr=0.05))
auto_scale_lr = dict(base_batch_size=128)
