# As released: two branches (a third is built there and not used), and at test
# no bias and the pooling before the branches. Its training divides the
# classifier by the norm to the power of 0.3 to validate, its evaluation by
# that of 0. The list to validate, which the papers report, chooses nothing.
_base_ = [
    '../_base_/runtime_last.py',
    '../_base_/models/resnet50.py',
    '../_base_/datasets/inaturalist2018.py',
    '../_base_/schedules/sgd_200e.py',
    '../_base_/pipelines/crop-flip_224.py',
    '../_base_/methods/reslt.py',
]

model = _base_.method.model
model.head.update(
    num_classes=8142, branch='conv', test_tau=0.0, test_pool_first=True
)
model.head.loss.update(num_classes=8142, beta=0.85, groups=[8142, 6600])
load, pack = [dict(type='LoadImageFromFile')], [dict(type='PackInputs')]
# 4 GPUs x 64 images.
train_dataloader = dict(
    batch_size=64,
    dataset=dict(pipeline=load + _base_.crop_flip + pack),
)
