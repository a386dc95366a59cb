# In the papers' setting, that of PaCo: 400 epochs with RandAugment. beta and
# gamma are those of the release.
_base_ = [
    '../_base_/runtime_last.py',
    '../_base_/models/resnet50.py',
    '../_base_/datasets/inaturalist2018.py',
    '../_base_/schedules/sgd_400e.py',
    '../_base_/pipelines/randaug_n2-m10_224.py',
    '../_base_/methods/focal.py',
]

model = _base_.method.model
model.head.num_classes = 8142
model.head.loss.update(num_classes=8142, beta=0.999, gamma=0.5)
model.head.init_cfg.bias = -9.00467
load, pack = [dict(type='LoadImageFromFile')], [dict(type='PackInputs')]
train_dataloader = dict(dataset=dict(pipeline=load + _base_.randaug + pack))
optim_wrapper = _base_.method.optim_wrapper
optim_wrapper.optimizer = dict(weight_decay=1e-4)
