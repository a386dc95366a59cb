# Without RandAugment, as in Table 11 of GPaCo; all else is that of GPaCo.
_base_ = [
    '../_base_/runtime_best.py',
    '../_base_/models/resnet50.py',
    '../_base_/datasets/imagenet-lt.py',
    '../_base_/schedules/sgd_400e.py',
    '../_base_/methods/gpaco.py',
    '../_base_/pipelines/two_views/sim_sim.py',
]

data_preprocessor = _base_.method.data_preprocessor
model = _base_.method.model
model.head.loss = dict(
    type='mmpaco.MultiTaskLoss',
    supcon_weight=0.5,
    temperature=0.2,
    balanced=False,
)
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
optim_wrapper = dict(optimizer=dict(lr=0.04))
