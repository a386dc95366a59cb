# In the papers' setting: 400 epochs with RandAugment, batch, rate and decay of
# PaCo. The images of rare classes come to those of a batch.
_base_ = [
    '../baselines/cross-entropy_resnet50_inaturalist2018.py',
    '../_base_/methods/bbn.py',
]

data_preprocessor = _base_.method.data_preprocessor
model = _base_.method.model
model.backbone.type = 'mmpaco.MultiExpertResNet'
model.head.update(num_classes=8142, in_channels=4096)
train_dataloader = _base_.method.train_dataloader
train_dataloader.dataset.dataset = _base_.train_dataloader.dataset
