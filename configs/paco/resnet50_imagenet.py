_base_ = [
    '../_base_/runtime_last.py',
    '../_base_/models/resnet50.py',
    '../_base_/datasets/imagenet.py',
    '../_base_/schedules/sgd_400e.py',
    '../_base_/pipelines/randaug_n2-m10_224.py',
    '../_base_/pipelines/sim_224.py',
]

data_preprocessor = dict(type='mmpaco.MultiViewDataPreprocessor')
model = dict(
    type='mmpaco.PaCoClassifier',
    momentum=0.999,
    head=dict(
        type='mmpaco.GPaCoHead',
        loss=dict(
            _delete_=True,
            type='mmpaco.PaCoLoss',
            alpha=0.05,
            temperature=0.2,
        ),
        projector=dict(num_layers=2, norm_cfg=dict(type='BN1d')),
        class_prior=False,
    ),
)
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(
                type='MultiView',
                num_views=[1, 1],
                transforms=[_base_.randaug, _base_.sim],
            ),
            dict(type='PackInputs'),
        ]
    )
)
custom_hooks = [dict(type='mmpaco.PaCoQueueHook')]
# 4 GPUs x 64 images. The paper says that the settings of ImageNet-LT were
# reused, so batch 128 and rate 0.02.
optim_wrapper = dict(optimizer=dict(lr=0.04, weight_decay=1e-4))
auto_scale_lr = dict(base_batch_size=256)
