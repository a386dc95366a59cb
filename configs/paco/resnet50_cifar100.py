# Not in the release: batch, rate, alpha and temperature are the paper's, the
# queue, the 128 outputs, the steps and the views those of GPaCo's script.
_base_ = [
    '../_base_/runtime_last.py',
    '../_base_/models/cifar-resnet50.py',
    '../_base_/datasets/cifar100.py',
    '../_base_/schedules/cifar_400e.py',
    '../_base_/methods/paco.py',
    '../_base_/pipelines/two_views/cifar_sim_sim.py',
]

data_preprocessor = _base_.method.data_preprocessor
model = _base_.method.model
model.head.update(queue_length=1024, class_prior=False)
model.head.loss.update(alpha=0.008, temperature=0.07)
train_dataloader = dict(
    # 1 GPU x 256 images.
    batch_size=256,
    dataset=dict(pipeline=_base_.train_pipeline),
)
custom_hooks = [dict(type='mmpaco.PaCoQueueHook')]
optim_wrapper = dict(optimizer=dict(lr=0.1))
auto_scale_lr = dict(base_batch_size=256)
