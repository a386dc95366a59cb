_base_ = './reslt_resnet32_cifar100-lt-if100.py'

model = dict(head=dict(loss=dict(beta=0.72)))
train_dataset = dict(factor=10)
train_dataloader = dict(dataset=train_dataset)
val_evaluator = dict(train_dataset=train_dataset)
test_evaluator = val_evaluator
