# As released, with the power of the norm by which the classifier is divided at
# test, and the pooling before the branches there. What is best on the list to
# validate is kept; there it is chosen on the list to test.
_base_ = [
    '../_base_/runtime_best.py',
    '../_base_/models/resnext50-32x4d.py',
    '../_base_/datasets/imagenet-lt.py',
    '../_base_/schedules/sgd_180e.py',
    '../_base_/pipelines/jitter_224.py',
    '../_base_/methods/reslt.py',
]

model = _base_.method.model
model.head.update(branch='conv', test_tau=0.7, test_pool_first=True)
model.head.loss.update(
    num_classes=1000, beta=0.99, groups=[1000, 825, 220], sum_eps=1e-7
)
load, pack = [dict(type='LoadImageFromFile')], [dict(type='PackInputs')]
# 4 GPUs x 64 images.
train_dataloader = dict(
    batch_size=64,
    dataset=dict(pipeline=load + _base_.jitter + pack),
)
