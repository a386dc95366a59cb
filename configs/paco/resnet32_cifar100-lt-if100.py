_base_ = [
    '../_base_/runtime_last.py',
    '../_base_/models/cifar-resnet32.py',
    '../_base_/datasets/cifar100-lt.py',
    '../_base_/schedules/cifar_400e.py',
    '../_base_/methods/paco.py',
    '../_base_/pipelines/two_views/cifar_autoaug-cutout_sim.py',
]

data_preprocessor = _base_.method.data_preprocessor
model = _base_.method.model
model.head.queue_length = 1024
model.head.projector.update(out_channels=32, init_cfg=_base_.last_layer_init)
# An alpha of 0.02 in the paper.
model.head.loss.update(alpha=0.01, temperature=0.05)
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
