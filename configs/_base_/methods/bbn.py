# What BBN puts on a ResNet-32 of CIFAR. A config with this base has
#   data_preprocessor = _base_.method.data_preprocessor
#   model = _base_.method.model
#   train_dataloader = _base_.method.train_dataloader
#   train_dataloader.dataset.dataset = ...
# with a dataset whose pipeline makes one view.
_base_ = '../models/cifar-two-branches.py'

method = dict(
    data_preprocessor=dict(type='mmpaco.MultiViewDataPreprocessor'),
    model=dict(
        type='mmpaco.BBNClassifier',
        backbone=_base_.two_branches,
        head=dict(in_channels=128),
    ),
    train_dataloader=dict(
        sampler=dict(_delete_=True, type='mmpaco.PairSampler'),
        dataset=dict(_delete_=True, type='mmpaco.PairedDataset'),
    ),
)
custom_hooks = [dict(type='mmpaco.BBNProgressHook')]
