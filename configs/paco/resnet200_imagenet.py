_base_ = [
    '../_base_/runtime_last.py',
    '../_base_/models/resnet200.py',
    '../_base_/datasets/imagenet.py',
    '../_base_/schedules/sgd_400e.py',
    '../_base_/methods/paco.py',
    '../_base_/pipelines/two_views/randaug-stack_n3-m12_sim.py',
]

data_preprocessor = _base_.method.data_preprocessor
model = _base_.method.model
model.head.class_prior = False
# Magnitude 12 as released, which is clipped to 10.
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
custom_hooks = [dict(type='mmpaco.PaCoQueueHook')]
# Half precision, as released. It needs a GPU: on a CPU give
# --cfg-options optim_wrapper.type=OptimWrapper
# 4 GPUs x 64 images. The paper says that the settings of ImageNet-LT were
# reused, so batch 128 and rate 0.02.
optim_wrapper = dict(
    type='AmpOptimWrapper', optimizer=dict(lr=0.04, weight_decay=1e-4)
)
auto_scale_lr = dict(base_batch_size=256)
