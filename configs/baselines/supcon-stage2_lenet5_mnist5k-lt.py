_base_ = './cross-entropy_lenet5_mnist5k-lt.py'

# The environment variable STAGE1 names the checkpoint of stage 1, if it is
# not where tools/train.py leaves it:
#   tools/train.py configs/baselines/supcon-stage1_lenet5_mnist5k-lt.py
#   STAGE1=CHECKPOINT tools/train.py \
#       configs/baselines/supcon-stage2_lenet5_mnist5k-lt.py
stage1 = '{{$STAGE1:work_dirs/supcon-stage1_lenet5_mnist5k-lt/epoch_100.pth}}'

# The backbone of stage 1, whose classifier is still as it was initialised; its
# projector is left out.
model = dict(pretrained=stage1)

# LeNet-5 has no frozen_stages and no batch norm: a rate of zero freezes it. Of
# a ResNet, frozen_stages=4 freezes the weights and the statistics.
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys=dict(backbone=dict(lr_mult=0.0, decay_mult=0.0))
    )
)
