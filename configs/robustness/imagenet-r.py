# Any classifier of ImageNet, tested on ImageNet-R by its own test pipeline:
#   CLASSIFIER=$PWD/CONFIG python tools/test.py \
#       configs/robustness/imagenet-r.py CHECKPOINT
_base_ = '{{$CLASSIFIER:}}'

test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmpaco.ImageNetR',
        data_root='data/imagenet-r',
        pipeline=_base_.test_dataloader.dataset.pipeline,
    )
)
test_evaluator = dict(
    _delete_=True,
    type='mmpaco.SubsetAccuracy',
    num_classes=1000,
    classes='imagenet-r',
)
