_base_ = '../baselines/cross-entropy_resnet14-w16_tiny-imagenet100-lt.py'

# As CIFAR-100-LT in the papers: alpha x K of the head class is about 0.5.
model = dict(
    head=dict(
        type='mmpaco.GPaCoHead',
        loss=dict(
            type='mmpaco.PaCoLoss',
            alpha={{'$ALPHA:0.01'}},
            temperature={{'$TEMPERATURE:0.07'}},
        ),
        queue_length={{'$QUEUE:1024'}},
    )
)
custom_hooks = [
    dict(type='mmpaco.ChannelsLastHook'),
    dict(type='mmpaco.ClassPriorHook'),
    dict(type='mmpaco.PaCoQueueHook'),
]
