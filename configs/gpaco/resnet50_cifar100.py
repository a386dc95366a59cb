# Batch 128 and rate 0.05 as released; 256 and 0.1 in the paper. The release
# also has a uniform prior, which both papers leave out.
_base_ = [
    '../_base_/runtime_last.py',
    '../_base_/models/cifar-resnet50.py',
    '../_base_/datasets/cifar100.py',
    '../_base_/schedules/cifar_400e.py',
    '../_base_/methods/gpaco.py',
    '../_base_/pipelines/two_views/cifar_sim_sim.py',
]

data_preprocessor = _base_.method.data_preprocessor
model = _base_.method.model
model.head.update(queue_length=1024, class_prior=False)
model.head.loss.update(alpha=0.01, temperature=0.07)
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
custom_hooks = [dict(type='mmpaco.PaCoQueueHook')]
