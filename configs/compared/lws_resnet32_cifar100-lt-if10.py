_base_ = './lws_resnet32_cifar100-lt-if100.py'

stage1 = '{{$STAGE1:work_dirs/decoupling-stage1_resnet32_cifar100-lt-if10/epoch_90.pth}}'  # noqa: E501
model = dict(pretrained=stage1)
train_dataset = dict(factor=10)
train_dataloader = dict(dataset=train_dataset)
val_evaluator = dict(train_dataset=train_dataset)
test_evaluator = val_evaluator
