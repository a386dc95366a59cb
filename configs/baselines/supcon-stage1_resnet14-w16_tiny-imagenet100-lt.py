_base_ = '../gpaco/resnet14-w16_tiny-imagenet100-lt.py'

model = dict(
    head=dict(
        loss=dict(
            _delete_=True,
            type='mmpaco.SupConLoss',
            temperature={{'$TEMPERATURE:0.07'}},
        )
    )
)
custom_hooks = [
    dict(type='mmpaco.ChannelsLastHook'),
    dict(type='mmpaco.PaCoQueueHook'),
]

# The classifier is trained in the second stage: here is nothing to test.
val_dataloader = val_evaluator = val_cfg = None
test_dataloader = test_evaluator = test_cfg = None
