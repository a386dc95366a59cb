_base_ = '../gpaco/lenet5_mnist5k-lt.py'

# Features alone: the classifier is frozen as it was initialised, and
# supcon-stage2_lenet5_mnist5k-lt.py trains one on them.
model = dict(
    head=dict(
        loss=dict(_delete_=True, type='mmpaco.SupConLoss', temperature=0.07)
    )
)
custom_hooks = [dict(type='mmpaco.PaCoQueueHook')]

# So there is nothing to validate or test.
val_dataloader = val_evaluator = val_cfg = None
test_dataloader = test_evaluator = test_cfg = None
