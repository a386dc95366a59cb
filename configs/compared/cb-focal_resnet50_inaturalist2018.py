# As released, but for bfloat16 and a network in TensorFlow. The list to
# validate, which the papers report, chooses nothing.
_base_ = [
    '../_base_/runtime_last.py',
    '../_base_/models/resnet50.py',
    '../_base_/datasets/inaturalist2018.py',
    '../_base_/schedules/sgd_90e_nesterov.py',
    '../_base_/pipelines/crop-flip-bicubic_224.py',
    '../_base_/pipelines/test-bicubic_224.py',
    '../_base_/methods/focal.py',
]

model = _base_.method.model
model.head.num_classes = 8142
model.head.loss.update(num_classes=8142, beta=0.999, gamma=0.5)
model.head.init_cfg.bias = -9.00467
optim_wrapper = _base_.method.optim_wrapper
load, pack = [dict(type='LoadImageFromFile')], [dict(type='PackInputs')]
train_dataloader = dict(
    # 8 GPUs x 128 images.
    batch_size=128,
    dataset=dict(pipeline=load + _base_.crop_flip_bicubic + pack),
)
val_dataloader = dict(dataset=dict(pipeline=load + _base_.test_bicubic + pack))
test_dataloader = val_dataloader
