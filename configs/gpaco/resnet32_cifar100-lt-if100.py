# alpha and temperature are the paper's; the release has no script, so all else
# is the default of its code.
_base_ = [
    '../_base_/runtime_last.py',
    '../_base_/models/cifar-resnet32.py',
    '../_base_/datasets/cifar100-lt.py',
    '../_base_/schedules/cifar_400e.py',
    '../_base_/methods/gpaco.py',
    '../_base_/pipelines/two_views/cifar_autoaug-cutout_sim-blur0.2.py',
]

data_preprocessor = _base_.method.data_preprocessor
model = _base_.method.model
model.head.queue_length = 1024
model.head.projector = dict(init_cfg=_base_.last_layer_init)
model.head.loss.update(alpha=0.01, temperature=0.07)
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
