# Not in the release: batch, rate, alpha and temperature are the paper's, the
# queue, the 128 outputs, the steps and the views those of GPaCo's script.
_base_ = [
    '../_base_/runtime_last.py',
    '../_base_/models/cifar-resnet50.py',
    '../_base_/datasets/cifar100.py',
    '../_base_/schedules/cifar_400e.py',
    '../_base_/pipelines/cifar_sim.py',
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
            alpha=0.008,
            temperature=0.07,
        ),
        queue_length=1024,
        projector=dict(num_layers=2, norm_cfg=dict(type='BN1d')),
        class_prior=False,
    ),
)
train_dataloader = dict(
    # 1 GPU x 256 images.
    batch_size=256,
    dataset=dict(
        pipeline=[
            dict(type='MultiView', num_views=2, transforms=[_base_.cifar_sim]),
            dict(type='PackInputs'),
        ]
    ),
)
custom_hooks = [dict(type='mmpaco.PaCoQueueHook')]
optim_wrapper = dict(optimizer=dict(lr=0.1))
auto_scale_lr = dict(base_batch_size=256)
