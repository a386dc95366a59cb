# ResNet-50 with a 3 x 3 stem of stride 1 and without max pooling, for images
# of 32 x 32 pixels.
_base_ = './resnet50.py'

model = dict(backbone=dict(type='ResNet_CIFAR'), head=dict(num_classes=100))
