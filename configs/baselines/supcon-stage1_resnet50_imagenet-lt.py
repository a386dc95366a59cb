# 400 epochs without RandAugment, as the supplement of GPaCo says; all else is
# that of PaCo. The queue hook is all that it needs.
_base_ = [
    '../_base_/runtime_last.py',
    '../_base_/models/resnet50.py',
    '../_base_/datasets/imagenet-lt.py',
    '../_base_/schedules/sgd_400e.py',
    '../_base_/methods/paco.py',
    '../_base_/pipelines/two_views/sim_sim.py',
]

data_preprocessor = _base_.method.data_preprocessor
model = _base_.method.model
model.head.loss = dict(type='mmpaco.SupConLoss', temperature=0.2)
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
custom_hooks = [dict(type='mmpaco.PaCoQueueHook')]

# A classifier that is not trained has nothing to choose by and to test.
val_dataloader = val_evaluator = val_cfg = None
test_dataloader = test_evaluator = test_cfg = None
