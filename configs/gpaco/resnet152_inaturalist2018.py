_base_ = './resnet50_inaturalist2018.py'

model = dict(backbone=dict(depth=152))
# 4 GPUs x 32 images.
train_dataloader = dict(batch_size=32)
