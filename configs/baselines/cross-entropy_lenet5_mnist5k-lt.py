_base_ = [
    '../_base_/default_runtime_mmpretrain.py',
    '../_base_/models/lenet5.py',
    '../_base_/datasets/mnist5k-lt.py',
    '../_base_/schedules/mnist5k-lt_100e.py',
]

# mmengine removes the oldest checkpoint before it writes the new one: of one
# alone, nothing would be left if the run was killed there.
default_hooks = dict(
    logger=dict(interval=16), checkpoint=dict(interval=10, max_keep_ckpts=2)
)
