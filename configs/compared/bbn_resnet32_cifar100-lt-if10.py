_base_ = './bbn_resnet32_cifar100-lt-if100.py'

train_dataset = dict(factor=10)
train_dataloader = dict(dataset=dict(dataset=train_dataset))
val_evaluator = dict(train_dataset=train_dataset)
test_evaluator = val_evaluator
