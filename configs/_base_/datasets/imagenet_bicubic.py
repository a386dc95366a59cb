# ImageNet as MAE tests on it, and batches of 8 GPUs x 32 images.
_base_ = ['./imagenet.py', '../pipelines/test-bicubic_224.py']

test_pipeline = [
    dict(type='LoadImageFromFile'),
    *_base_.test_bicubic,
    dict(type='PackInputs'),
]
train_dataloader = dict(batch_size=32)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
