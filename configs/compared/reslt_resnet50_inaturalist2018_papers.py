# In the papers' setting: 400 epochs with RandAugment, batch, rate and decay of
# PaCo. All else is that of ResLT's release, what it does at test too.
_base_ = [
    '../baselines/cross-entropy_resnet50_inaturalist2018.py',
    '../_base_/methods/reslt.py',
]

model = _base_.method.model
model.head.update(branch='conv', test_tau=0.0, test_pool_first=True)
model.head.loss.update(num_classes=8142, beta=0.85, groups=[8142, 6600])
