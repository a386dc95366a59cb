# Any classifier of ImageNet, tested on ImageNet-C by its own test pipeline:
#   CLASSIFIER=$PWD/CONFIG python tools/test.py \
#       configs/robustness/imagenet-c.py CHECKPOINT
# With its error on ImageNet, relative mCE as well:
#   --cfg-options test_evaluator.clean_error=0.203
_base_ = '{{$CLASSIFIER:}}'

test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmpaco.ImageNetC',
        data_root='data/imagenet-c',
        pipeline=_base_.test_dataloader.dataset.pipeline,
    )
)
test_evaluator = dict(
    _delete_=True, type='mmpaco.CorruptionError', num_classes=1000
)
