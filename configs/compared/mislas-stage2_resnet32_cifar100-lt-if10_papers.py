_base_ = './mislas-stage2_resnet32_cifar100-lt-if100_papers.py'

stage1 = '{{$STAGE1:work_dirs/mislas-stage1_resnet32_cifar100-lt-if10_papers/epoch_400.pth}}'  # noqa: E501
model = dict(
    pretrained=stage1,
    head=dict(loss=dict(head=0.2, tail=0.0)),
)
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys={'head.fc': dict(lr_mult=0.1)})
)
train_dataset = dict(factor=10)
train_dataloader = dict(dataset=train_dataset)
val_evaluator = dict(train_dataset=train_dataset)
test_evaluator = val_evaluator
