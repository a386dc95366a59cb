# In the papers' setting, that of PaCo: 400 epochs with RandAugment. beta and
# gamma are those of the release.
_base_ = [
    '../baselines/cross-entropy_resnet50_inaturalist2018.py',
    '../_base_/methods/focal.py',
]

model = _base_.method.model
model.head.loss.update(num_classes=8142, beta=0.999, gamma=0.5)
model.head.init_cfg.bias = -9.00467
optim_wrapper = _base_.method.optim_wrapper
