# As lists.py in EPOCHS epochs. The rate falls at the same shares of them, at
# 0.8 and 0.9. A card waits for less than eight WORKERS.
_base_ = './lists.py'

param_scheduler = [
    *_base_.param_scheduler[:3],
    dict(
        type='MultiStepLR',
        milestones=[
            round(0.8 * {{'$EPOCHS:200'}}),
            round(0.9 * {{'$EPOCHS:200'}}),
        ],
        gamma=0.1,
    ),
]
train_cfg = dict(max_epochs={{'$EPOCHS:200'}})
train_dataloader = dict(num_workers={{'$WORKERS:4'}})
