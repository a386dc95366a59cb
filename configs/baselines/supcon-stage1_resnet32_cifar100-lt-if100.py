# Not in the papers: all else is that of PaCo.
_base_ = '../paco/resnet32_cifar100-lt-if100.py'

model = dict(
    head=dict(
        loss=dict(_delete_=True, type='mmpaco.SupConLoss', temperature=0.05)
    )
)
custom_hooks = [dict(type='mmpaco.PaCoQueueHook')]

# A classifier that is not trained has nothing to choose by and to test.
val_dataloader = val_evaluator = val_cfg = None
test_dataloader = test_evaluator = test_cfg = None
