# As released, as far as the network allows: the release's has 15 blocks of
# three convolutions. Images are padded by two pixels and lie in [-0.5, 0.5].
# At the papers' setting this loss is
# ../baselines/balanced-softmax_resnet32_cifar100-lt-if100.py.
_base_ = [
    '../_base_/runtime_last.py',
    '../_base_/models/cifar-resnet32.py',
    '../_base_/datasets/cifar100-lt.py',
    '../_base_/schedules/cifar_1419e.py',
    '../_base_/pipelines/cifar_crop-flip.py',
]

data_preprocessor = dict(mean=[127.5] * 3, std=[255.0] * 3)
loss = dict(type='mmpaco.BalancedSoftmaxLoss', num_classes=100, tau=1.0)
model = dict(head=dict(loss=loss))
crop = dict(type='RandomCrop', crop_size=32, padding=2)
train_dataloader = dict(
    dataset=dict(pipeline=[crop, _base_.crop_flip[1], dict(type='PackInputs')])
)
custom_hooks = [dict(type='mmpaco.ClassPriorHook')]
