_base_ = [
    '../_base_/runtime_last.py',
    '../_base_/models/resnet50.py',
    '../_base_/datasets/imagenet.py',
    '../_base_/schedules/sgd_400e.py',
    '../_base_/methods/paco.py',
    '../_base_/pipelines/two_views/randaug_n2-m10_sim.py',
]

data_preprocessor = _base_.method.data_preprocessor
model = _base_.method.model
model.head.class_prior = False
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
custom_hooks = [dict(type='mmpaco.PaCoQueueHook')]
# 4 GPUs x 64 images. The paper says that the settings of ImageNet-LT were
# reused, so batch 128 and rate 0.02.
optim_wrapper = dict(optimizer=dict(lr=0.04, weight_decay=1e-4))
auto_scale_lr = dict(base_batch_size=256)
