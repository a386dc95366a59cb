_base_ = [
    '../_base_/runtime_last.py',
    '../_base_/models/resnet50.py',
    '../_base_/datasets/imagenet.py',
    '../_base_/schedules/sgd_400e.py',
    '../_base_/methods/gpaco.py',
    '../_base_/pipelines/two_views/randaug_randaug-stack_n2-m10.py',
]

data_preprocessor = _base_.method.data_preprocessor
model = _base_.method.model
model.head.class_prior = False
# Of the release; the paper does not name it.
model.head.loss.label_smoothing = 0.1
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
custom_hooks = [dict(type='mmpaco.PaCoQueueHook')]
# 8 GPUs x 64 images.
optim_wrapper = dict(optimizer=dict(lr=0.08, weight_decay=1e-4))
auto_scale_lr = dict(base_batch_size=512)
